"""How the scores of several members become one: each speaks in the same units first."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType

import numpy as np

from soc.detect.strangeness.rows import Vector

VOTES_FROM = 0.9


class Combination(StrEnum):
    """How members speak.

    z_log: by how far above its usual scores, the far ones pressed; keeps the margin that ranks
    throw away. votes: one vote where a row is stranger than nine tenths of the reference, and
    ranks between.
    """

    Z_LOG = "z_log"
    VOTES = "votes"


def z_log(scores: Vector, usual: Vector) -> Vector:
    """Return sign(z)·log(1 + |z|), with z in middle halves of *usual* around its median."""
    low, centre, high = np.percentile(usual, [25, 50, 75])
    spread = (high - low) or usual.std() or 1.0
    z = (scores - centre) / spread
    pressed: Vector = np.sign(z) * np.log1p(np.abs(z))
    return pressed


def votes(scores: Vector, usual: Vector) -> Vector:
    """Return the share of *usual* that is less strange, and one more from nine tenths on."""
    share = np.searchsorted(np.sort(usual), scores, side="left") / len(usual)
    return share + (share >= VOTES_FROM)


SPOKEN: Mapping[Combination, Callable[[Vector, Vector], Vector]] = MappingProxyType(
    {Combination.Z_LOG: z_log, Combination.VOTES: votes}
)
