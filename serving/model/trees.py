"""A LightGBM model behind its cheapest exact call: one row by the library's own fast path, many as one matrix."""

from __future__ import annotations

import ctypes
import threading
import weakref

import lightgbm
import numpy as np
from lightgbm.basic import _LIB  # type: ignore[attr-defined]  # it has no public name

from features.curves import Floats

_DOUBLE, _ROW_MAJOR = 1, 1
"""C_API_DTYPE_FLOAT64, and `is_row_major`."""

_NORMAL, _ALL_TREES = 0, -1
"""C_API_PREDICT_NORMAL, and every iteration."""

THREADS = 1
"""Of one prediction: requests run side by side, and OpenMP's other threads stall for milliseconds on a busy machine."""


class Trees:
    """Predicts as `Booster.predict` does, to the last bit, at a third of its cost for a single row.

    What the library prepares for single rows may serve one thread at a time, so each has its own.
    """

    def __init__(self, booster: lightgbm.Booster) -> None:
        self._booster = booster
        self._own = threading.local()

    def predict(self, rows: Floats) -> Floats:
        """One output a row of features, shape (rows, features)."""
        if len(rows) == 1:
            try:
                one: _OneRow = self._own.one_row
            except AttributeError:
                one = self._own.one_row = _OneRow(self._booster, rows.shape[1])
            return one.predict(rows)
        outputs: Floats = np.asarray(self._booster.predict(rows, num_threads=THREADS), dtype=float)
        return outputs


class _OneRow:
    """LightGBM's `PredictForMatSingleRowFast`, with room for a row and its output."""

    def __init__(self, booster: lightgbm.Booster, features: int) -> None:
        self._booster = booster  # kept alive as long as what was prepared from it
        # The library reads this buffer whatever the caller's array looks like: strided ones would be silently wrong.
        self._row = np.empty((1, features))
        self._output = np.empty(1)
        self._length = ctypes.c_int64()
        prepared = ctypes.c_void_p()
        _checked(
            _LIB.LGBM_BoosterPredictForMatSingleRowFastInit(
                booster._handle,
                ctypes.c_int(_NORMAL),
                ctypes.c_int(0),
                ctypes.c_int(_ALL_TREES),
                ctypes.c_int(_DOUBLE),
                ctypes.c_int32(features),
                ctypes.c_char_p(f"num_threads={THREADS}".encode()),
                ctypes.byref(prepared),
            )
        )
        weakref.finalize(self, _LIB.LGBM_FastConfigFree, prepared)
        self._call = _LIB.LGBM_BoosterPredictForMatSingleRowFast
        self._arguments = (
            prepared,
            ctypes.c_void_p(self._row.ctypes.data),
            ctypes.byref(self._length),
            ctypes.c_void_p(self._output.ctypes.data),
        )

    def predict(self, row: Floats) -> Floats:
        self._row[:] = row
        _checked(self._call(*self._arguments))
        return self._output.copy()


def _checked(status: int) -> None:
    if status != 0:
        raise lightgbm.basic.LightGBMError(_LIB.LGBM_GetLastError().decode())
