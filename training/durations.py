"""Processing time before enough of it was logged: a prior, simulated in the public data and called so."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from features.curves import Floats
from serving.model import ProcessingPrior

SETUP_UNITS = 500.0
"""What setting a campaign up costs, in units of its work."""

SIGMA = 0.25
"""Standard deviation of the logarithm of the noise in processing times."""


def slot_hours_per_unit(work_units: npt.ArrayLike, workers: float, hours: float) -> float:
    """How long a unit takes if all this work, set-ups included, keeps the workers busy for some hours.

    Raises
    ------
    ValueError
        When there is no work, no worker or no time.
    """
    work = np.asarray(work_units, dtype=float)
    if not work.size:
        raise ValueError("work_units is empty: needs the work of one campaign at least")
    if not workers > 0 or not hours > 0:
        raise ValueError(f"workers is {workers:g} and hours {hours:g}: both must be above 0")
    return workers * hours / float((SETUP_UNITS + work).sum())


def prior(work_units: npt.ArrayLike, workers: float, hours: float) -> ProcessingPrior:
    """The processing-time prior of a capacity that some work fills; see `slot_hours_per_unit`."""
    per_unit = slot_hours_per_unit(work_units, workers, hours)
    return ProcessingPrior(setup_units=SETUP_UNITS, slot_hours_per_unit=per_unit, sigma=SIGMA)


def simulated_hours(prior: ProcessingPrior, work_units: npt.ArrayLike, chance: np.random.Generator) -> Floats:
    """Slot-hours campaigns actually take: the prior's mean times lognormal noise of mean 1, hidden from policies."""
    median = prior.p50_h(work_units)
    drawn: Floats = median * np.exp(prior.sigma * chance.standard_normal(median.shape))
    return drawn
