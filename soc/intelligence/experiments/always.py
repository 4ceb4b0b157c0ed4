"""Intervals that hold at all times together, for what is watched without end.

The asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024, Annals
of Statistics 52), theorem 2.2, with Robbins' normal mixture.
"""

from math import log

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def tuning(units: float, alpha: float) -> float:
    """Return the rho² that makes the interval narrowest at *units*."""
    return (-2 * log(alpha) + log(-2 * log(alpha)) + 1) / units


def multiplier(units: Floats | float, alpha: float, best_at: float) -> Floats:
    """Return how many standard errors wide each side is after *units*, for all of them at once."""
    grown = np.asarray(units, dtype=float) * tuning(best_at, alpha)
    made: Floats = np.sqrt((grown + 1) / grown * (log(1 / alpha**2) + np.log(grown + 1)))
    return made
