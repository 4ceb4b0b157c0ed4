"""Bandits learn, their regret is never luck, and logs say what they would have brought."""

import numpy as np
import pytest

from soc.errors import Refused, Unfit
from soc.intelligence.experiments.bandit import (
    best_arms,
    decaying,
    floored,
    fresh,
    greedy,
    play,
    policies,
    shares,
    thompson,
    ucb1,
    uniform,
)
from soc.intelligence.experiments.replay import propensity, replayed

MEANS = (0.05, 0.2, 0.1)


@pytest.mark.parametrize("name", list(policies()))
def test_pseudo_regret_never_falls_and_the_same_seed_plays_the_same(name: str) -> None:
    choose = policies()[name]
    lengths = [play(choose, MEANS, steps, 20, seed=4)[0] for steps in (1, 40, 80)]

    assert (lengths[0] >= 0).all()
    assert (np.diff(lengths, axis=0) >= -1e-12).all()
    assert (lengths[2] <= 80 * 0.15 + 1e-9).all()
    assert (play(choose, MEANS, 80, 20, seed=4)[0] == lengths[2]).all()


def test_what_learns_beats_what_does_not() -> None:
    regret = {n: play(one, MEANS, 3_000, 60, 1)[0].mean() for n, one in policies().items()}

    assert regret["uniform"] == pytest.approx(3_000 * 0.25 / 3, rel=0.03)
    assert all(regret[n] < 0.7 * regret["uniform"] for n in regret if n != "uniform")
    assert min(regret, key=regret.__getitem__).startswith("thompson")


def test_every_arm_is_tried_and_a_floor_goes_on_trying() -> None:
    _, state = play(ucb1(), MEANS, 3, 10, 1)
    assert (state.shown == 1).all()
    _, kept = play(floored(greedy(0.0), 0.3), MEANS, 4_000, 20, 1)
    assert (kept.shown / 4_000).min() > 0.3 / 3 * 0.8


def test_epsilon_that_falls_explores_first() -> None:
    rng, state = np.random.default_rng(1), fresh(6_000, 3)
    state.shown[:], state.hits[:, 1] = 10, 5

    early = (decaying()(state, rng) != 1).mean()
    state.step = 10_000
    late = (decaying()(state, rng) != 1).mean()

    assert early == pytest.approx(2 / 3, abs=0.03)
    assert late < 0.01


def test_the_chance_to_be_best_is_that_of_the_posterior() -> None:
    chances = best_arms(np.array([100.0, 100.0]), np.array([10.0, 20.0]), seed=1)

    draws = np.random.default_rng(9).beta([11, 21], [91, 81], (100_000, 2)).argmax(axis=1)
    assert chances.sum() == 1
    assert chances[1] == pytest.approx(draws.mean(), abs=0.01)
    assert best_arms(np.zeros(4), np.zeros(4), seed=1) == pytest.approx([0.25] * 4, abs=0.02)
    assert shares(chances, 0.2).min() >= 0.1
    assert shares(chances, 0.2).sum() == pytest.approx(1)


@pytest.fixture(scope="module")
def logged() -> tuple[np.ndarray, np.ndarray, list[float]]:
    rng, drawn = np.random.default_rng(7), [0.5, 0.25, 0.25]
    arms = rng.choice(3, 6_000, p=drawn)
    return arms, (rng.random(6_000) < np.array(MEANS)[arms]).astype(float), drawn


def test_replay_says_what_a_policy_is_worth_and_on_how_many_units(logged) -> None:
    arms, rewards, drawn = logged
    even = replayed(uniform(), arms, rewards, drawn, seed=1)
    learned = replayed(thompson(1, 9), arms, rewards, drawn, seed=1)
    only = propensity([0, 1, 0], arms, rewards, drawn)
    same = propensity(drawn, arms, rewards, drawn)

    assert even.value == pytest.approx(np.mean(MEANS), abs=3 * even.error)
    assert even.effective == pytest.approx(6_000 * 0.75 / 3, rel=0.05)
    assert learned.value > even.value + 3 * even.error
    assert only.value == pytest.approx(rewards[arms == 1].mean())
    assert only.effective == (arms == 1).sum()
    assert same.value == pytest.approx(rewards.mean())
    assert same.effective == pytest.approx(6_000)


def test_too_short_a_log_is_no_answer(logged) -> None:
    arms, rewards, drawn = (each[:40] for each in logged)
    with pytest.raises(Unfit, match="of 40 units can be replayed; 30 are needed"):
        replayed(uniform(), arms, rewards, drawn, seed=1)
    with pytest.raises(Unfit, match="30 are needed"):
        propensity([0, 1, 0], arms, rewards, drawn)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda: greedy(1.2), id="epsilon"),
        pytest.param(lambda: decaying(0), id="scale"),
        pytest.param(lambda: thompson(0, 1), id="prior"),
        pytest.param(lambda: floored(ucb1(), -1), id="floor"),
        pytest.param(lambda: play(ucb1(), [2.0], 1, 1, 1), id="mean"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong) -> None:
    with pytest.raises(Refused, match="write"):
        wrong()
