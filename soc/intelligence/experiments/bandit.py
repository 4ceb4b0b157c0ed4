"""Bandits: which arm to show next, what it costs to learn it, and how sure one is of the best.

Sutton and Barto 2018, chapter 2 (epsilon-greedy); Auer, Cesa-Bianchi and Fischer 2002 (UCB1, and
epsilon that falls); Thompson 1933, with a Beta prior. All play many runs at once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from soc.errors import Refused

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
Choose = Callable[["State", np.random.Generator], Whole]
DRAWS = 20_000


@dataclass(slots=True)
class State:
    """What each of many runs has seen: rows are runs, columns arms."""

    shown: Floats
    hits: Floats
    step: int = 0

    def tell(self, arms: Whole, rewards: Floats, which: Whole) -> None:
        """Add what *arms* brought in the runs *which*."""
        self.shown[which, arms] += 1
        self.hits[which, arms] += rewards
        self.step += 1


def fresh(runs: int, arms: int) -> State:
    """Return the state of runs that have seen nothing."""
    return State(np.zeros((runs, arms)), np.zeros((runs, arms)))


def uniform() -> Choose:
    """Return what shows every arm alike: the experiment that never ends."""
    return lambda state, rng: rng.integers(state.shown.shape[1], size=len(state.shown))


def greedy(epsilon: float) -> Choose:
    """Return epsilon-greedy: the best so far, but any arm with chance *epsilon*."""
    _check_share("epsilon", epsilon)
    return lambda state, rng: _explored(state, rng, epsilon)


def decaying(scale: float = 5.0) -> Choose:
    """Return epsilon-greedy whose chance falls: *scale* times the arms, by the steps so far."""
    if scale <= 0:
        raise Refused(f"scale {scale:g}: write a number above 0")

    def choose(state: State, rng: np.random.Generator) -> Whole:
        return _explored(state, rng, min(1.0, scale * state.shown.shape[1] / (state.step + 1)))

    return choose


def ucb1() -> Choose:
    """Return UCB1: the arm that might be best, by Hoeffding."""

    def choose(state: State, rng: np.random.Generator) -> Whole:
        seen = np.maximum(state.shown, 1)
        bonus = np.sqrt(2 * np.log(max(state.step, 1)) / seen)
        return _best(np.where(state.shown > 0, state.hits / seen + bonus, np.inf), rng)

    return choose


def thompson(hits: float = 1.0, misses: float = 1.0) -> Choose:
    """Return Thompson sampling with the prior Beta(*hits*, *misses*)."""
    _check_prior(hits, misses)

    def choose(state: State, rng: np.random.Generator) -> Whole:
        drawn = rng.beta(hits + state.hits, misses + state.shown - state.hits)
        return np.asarray(drawn.argmax(axis=1))

    return choose


def floored(choose: Choose, floor: float) -> Choose:
    """Return *choose*, but any arm alike with chance *floor*: each goes on being measured."""
    _check_share("floor", floor)

    def mixed(state: State, rng: np.random.Generator) -> Whole:
        wanted = choose(state, rng)
        anyhow = rng.integers(state.shown.shape[1], size=len(wanted))
        return np.where(rng.random(len(wanted)) < floor, anyhow, wanted)

    return mixed


def policies(prior: tuple[float, float] = (1.0, 19.0)) -> Mapping[str, Choose]:
    """Return the policies by name; *prior* is what Thompson's begins with beside Beta(1, 1)."""
    named = f"thompson({prior[0]:g},{prior[1]:g})"
    return {
        "uniform": uniform(),
        "epsilon-greedy 0.1": greedy(0.1),
        "epsilon-greedy decaying": decaying(),
        "ucb1": ucb1(),
        "thompson(1,1)": thompson(),
        named: thompson(*prior),
    }


def play(
    choose: Choose, means: Sequence[float], steps: int, runs: int, seed: int
) -> tuple[Floats, State]:
    """Return the pseudo-regret of each run after all steps, and what was seen.

    It is the sum of what the chosen arms' means are below the best one's: it never falls, and luck
    is no part of it.
    """
    for each in means:
        _check_share("mean", each)
    rng, truth = np.random.default_rng(seed), np.asarray(means, dtype=float)
    state, which = fresh(runs, len(means)), np.arange(runs)
    regret, gaps = np.zeros(runs), truth.max() - truth
    for _ in range(steps):
        arms = choose(state, rng)
        state.tell(arms, (rng.random(runs) < truth[arms]).astype(float), which)
        regret += gaps[arms]
    return regret, state


def best_arms(
    shown: Floats, hits: Floats, seed: int, prior: tuple[float, float] = (1, 1)
) -> Floats:
    """Return the chance of each arm to be the best, by drawing from what is known of all."""
    _check_prior(*prior)
    rng = np.random.default_rng(seed)
    drawn = rng.beta(prior[0] + hits, prior[1] + shown - hits, size=(DRAWS, len(shown)))
    made: Floats = np.bincount(drawn.argmax(axis=1), minlength=len(shown)) / DRAWS
    return made


def shares(chances: Floats, floor: float) -> Floats:
    """Return the weights for the next experiment: the chances to be best, none below the floor."""
    _check_share("floor", floor)
    return floor / len(chances) + (1 - floor) * chances


def _explored(state: State, rng: np.random.Generator, epsilon: float) -> Whole:
    runs, arms = state.shown.shape
    means = state.hits / np.maximum(state.shown, 1)
    wanted = _best(means, rng)
    return np.where(rng.random(runs) < epsilon, rng.integers(arms, size=runs), wanted)


def _best(values: Floats, rng: np.random.Generator) -> Whole:
    """Return the arm of the greatest value in each run; among equals any of them."""
    ties = values == values.max(axis=1, keepdims=True)
    return np.asarray((ties * rng.random(values.shape)).argmax(axis=1))


def _check_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise Refused(f"{name} {value:g}: write a number from 0 to 1")


def _check_prior(hits: float, misses: float) -> None:
    if not (hits > 0 and misses > 0):
        raise Refused("prior: write two numbers above 0, such as 1,19 for about one in twenty")
