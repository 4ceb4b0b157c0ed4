"""What a policy would have brought, from logs of units whose arms were drawn with known chances.

Rejection replay (Li, Chu, Langford and Wang 2011) for policies that learn; inverse propensity
(Horvitz and Thompson 1952) for fixed shares. Each says how many units its answer really rests on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from soc.errors import Unfit
from soc.intelligence.experiments.bandit import Choose, Floats, Whole, fresh

FEWEST = 30
RUNS = 20
"""How often a policy that draws is replayed; the answer is the mean."""


@dataclass(frozen=True, slots=True)
class Worth:
    """What a policy is worth: mean reward, its standard error, and the units it rests on."""

    value: float
    error: float
    effective: float


def replayed(
    choose: Choose, arms: Whole, rewards: Floats, chances: Sequence[float], seed: int
) -> Worth:
    """Return the worth of a policy that learns as it goes, on the units it would have chosen so.

    Units of arms that were drawn more often than the rarest are left out at random, so that what
    is left was drawn evenly. Raises Unfit where too few units are left.
    """
    keep = min(chances) / np.asarray(chances, dtype=float)
    rng = np.random.default_rng(seed)
    state, every = fresh(RUNS, len(chances)), np.arange(RUNS)
    hits, kept, squares = np.zeros(RUNS), np.zeros(RUNS), np.zeros(RUNS)
    for arm, reward in zip(arms.tolist(), rewards.tolist(), strict=True):
        wanted = choose(state, rng)
        which = every[(wanted == arm) & (rng.random(RUNS) < keep[arm])]
        if not len(which):
            continue
        state.tell(np.full(len(which), arm), np.full(len(which), reward), which)
        hits[which] += reward
        squares[which] += reward * reward
        kept[which] += 1
    if (fewest := kept.mean()) < FEWEST:
        raise Unfit(f"{fewest:.0f} of {len(arms)} units can be replayed; {FEWEST} are needed")
    means = hits / np.maximum(kept, 1)
    spread = np.maximum(squares / np.maximum(kept, 1) - means**2, 0) / np.maximum(kept, 1)
    return Worth(float(means.mean()), float(np.sqrt(spread.mean())), float(fewest))


def propensity(
    shares: Sequence[float], arms: Whole, rewards: Floats, chances: Sequence[float]
) -> Worth:
    """Return the worth of arms shown with fixed *shares*: units weigh by how rare they were."""
    weights = (np.asarray(shares) / np.asarray(chances, dtype=float))[arms]
    effective = float(weights.sum() ** 2 / max((weights**2).sum(), 1e-300))
    if effective < FEWEST:
        raise Unfit(f"the answer would rest on {effective:.0f} units; {FEWEST} are needed")
    value = float((weights * rewards).sum() / weights.sum())
    away = weights * (rewards - value)
    return Worth(value, float(np.sqrt((away**2).sum()) / weights.sum()), effective)
