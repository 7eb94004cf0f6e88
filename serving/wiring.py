"""The one place where settings become objects: models, stores, executors and clients are put together here."""

from __future__ import annotations

import logging
from dataclasses import replace

from features.matrix import Matrix, MatrixInvalid
from serving.clock import Clock, SystemClock
from serving.errors import PrecedenceError, SettingInvalid
from serving.model import MatrixModel, Model
from serving.registry import champion
from serving.settings import Settings

log = logging.getLogger(__name__)


def matrix(settings: Settings) -> Matrix:
    """The matrix of the settings' file, or the one built in.

    Raises
    ------
    SettingInvalid
        When the file cannot be read or is no matrix.
    """
    file = settings.matrix_file
    if file is None:
        return Matrix.default()
    try:
        return Matrix.from_toml(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingInvalid("matrix_file", str(file), f"cannot be read ({error})") from error
    except MatrixInvalid as error:
        raise SettingInvalid("matrix_file", str(file), str(error)) from error


def model(settings: Settings) -> Model:
    """The champion, or the matrix in its place when there is none that can be used; it then says why."""
    weights = matrix(settings)
    try:
        bundle = champion(settings.tracking_uri, cache_dir=settings.home / "models")
    except PrecedenceError as error:
        log.warning("matrix_answers", extra={"reason": str(error)})
        return MatrixModel(str(error), weights)
    return replace(bundle, matrix=weights, snapshot_max_age_h=settings.snapshot_max_age_h)


def wall_clock() -> Clock:
    """What `at` defaults to where no clock is shared."""
    return SystemClock()
