"""The maths of experiments say what statsmodels, SciPy and published tables say."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import proportion_confint, proportions_ztest

from soc.errors import Refused, Unfit
from soc.incidents.kpis.statistics import wilson
from soc.intelligence.experiments.always import multiplier
from soc.intelligence.experiments.estimate import difference, estimate, lift, sums, z_of
from soc.intelligence.experiments.metrics import winsorised
from soc.intelligence.experiments.power import (
    effect_size,
    least_effect,
    need,
    power_of,
    sample_size,
)
from soc.intelligence.experiments.proportions import (
    chi_square,
    goodness,
    two_proportion_z,
)
from soc.intelligence.experiments.sequential import boundaries, p_value, spending
from soc.intelligence.holm import holm

SAME = {"rel": 1e-9, "abs": 1e-12}
PLANS = [(0.05, 0.08, 0.05, 0.8, 1.0), (0.05, 0.06, 0.025, 0.9, 1.0), (0.3, 0.2, 0.01, 0.8, 2.0)]


@pytest.mark.parametrize(("a", "b", "alpha", "power", "ratio"), PLANS)
def test_power_and_sample_size_are_those_of_statsmodels(a, b, alpha, power, ratio) -> None:
    theirs, effect = NormalIndPower(), effect_size(a, b)

    units = theirs.solve_power(effect, alpha=alpha, power=power, ratio=ratio)
    assert sample_size(effect, alpha, power, ratio) == pytest.approx(units, **SAME)
    for n in (163, 2_000.5):
        found = power_of(effect, n, n * ratio, alpha)
        assert found == pytest.approx(theirs.power(effect, n, alpha, ratio), **SAME)


def test_the_notebook_would_have_needed_seven_times_its_units() -> None:
    assert power_of(effect_size(0.05, 0.08), 163, 163) == pytest.approx(0.198, abs=0.001)
    assert need(0.05, 0.08).each == 1_047
    assert need(0.05, 0.06).each == 8_143
    assert need(0.05, 0.08, arms=3).alpha == 0.025
    assert need(0.05, 0.08, arms=3).total > 3 * 1_047
    assert least_effect(0.05, 1_047) == pytest.approx(0.03, abs=1e-4)
    assert least_effect(0.999, 3) == float("inf")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (lambda: effect_size(5, 0.1), "5 is no proportion"),
        (lambda: sample_size(0.0), "no effect"),
        (lambda: sample_size(1e-9), "too small to be seen"),
        (lambda: sample_size(0.1, power=0.01), "write a number between alpha and 1"),
        (lambda: sample_size(0.1, alpha=0), "alpha 0"),
        (lambda: need(0.1, 0.2, arms=1), "at least two arms"),
        (lambda: boundaries([0.5, 0.5]), "rising fractions of"),
        (lambda: boundaries([]), "at rising fractions"),
    ],
)
def test_plans_that_make_no_sense_are_refused(asked, said: str) -> None:
    with pytest.raises(Refused, match=said):
        asked()


@given(st.lists(st.tuples(st.integers(6, 900), st.integers(6, 900)), min_size=2, max_size=4))
def test_chi_square_and_z_are_those_of_scipy_and_statsmodels(table) -> None:
    theirs = stats.chi2_contingency(table, correction=False)
    if theirs.expected_freq.min() < 5:
        with pytest.raises(Unfit, match="expected in each cell"):
            chi_square(table)
    else:
        ours = chi_square(table)
        assert ours.freedom == theirs.dof
        assert ours.statistic == pytest.approx(theirs.statistic, **SAME)
        assert ours.p == pytest.approx(theirs.pvalue, **SAME)
    hits, units = [one[0] for one in table[:2]], [sum(one) for one in table[:2]]
    found = two_proportion_z(hits, units)
    assert found[:2] == pytest.approx(proportions_ztest(hits, units), **SAME)
    expected = proportion_confint(hits[0], units[0], method="wilson")
    assert wilson(hits[0], units[0]) == pytest.approx(expected, **SAME)
    fit = stats.chisquare(hits, np.array([1, 3]) * sum(hits) / 4)
    assert goodness(hits, [1, 3])[:2] == pytest.approx((fit.statistic, fit.pvalue), **SAME)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(Unfit, match="did the same"):
        two_proportion_z((0, 0), (10, 10))
    with pytest.raises(Unfit, match="no units"):
        two_proportion_z((0, 0), (10, 0))


@pytest.mark.parametrize("number", [1, 2, 6])
def test_holm_is_that_of_statsmodels(number) -> None:
    # Few: statsmodels collects the garbage of the whole process each time.
    values = np.random.default_rng(number).uniform(0, 0.2, number).tolist()
    assert holm(values) == pytest.approx(multipletests(values, method="holm")[1], **SAME)


def test_boundaries_are_those_of_lan_and_demets() -> None:
    """Published for five even looks, alpha 0.05 on both sides together (ldbounds, gsDesign)."""
    found = boundaries([0.2, 0.4, 0.6, 0.8, 1.0])

    assert found == pytest.approx([4.8769, 3.3569, 2.6803, 2.2898, 2.0310], abs=2e-4)
    assert boundaries([1.0]) == pytest.approx([1.959964], abs=1e-6)
    assert boundaries([0.5, 0.7], ends=True)[-1] < boundaries([0.5, 0.7])[-1]


@given(
    st.lists(st.integers(1, 120), min_size=1, max_size=5, unique=True),
    st.sampled_from([0.01, 0.05, 0.2]),
)
def test_looks_at_any_fractions_spend_what_was_planned(percents, alpha) -> None:
    """Exactly: by the integral at each look, as spending says; the oracle is drawn below."""
    from soc.intelligence.experiments.sequential import _inside, crossed

    fractions = [each / 100 for each in sorted(percents)]
    inside, total = None, 0.0
    for now, bound in zip(fractions, boundaries(fractions, alpha), strict=True):
        total += crossed(inside, now, bound)
        inside = _inside(inside, now, bound)
        if bound < 9:
            assert total == pytest.approx(spending(alpha, now), abs=1e-7)
    assert total <= alpha + 1e-7
    assert all(a <= b for a, b in pairwise(spending(alpha, each) for each in fractions))


def test_two_looks_are_a_rectangle_of_the_normal_plane() -> None:
    first, second = boundaries([0.6, 0.8])
    together = [[1, np.sqrt(0.75)], [np.sqrt(0.75), 1]]
    inside = stats.multivariate_normal(cov=together).cdf(
        [first, second], lower_limit=[-first, -second]
    )

    assert 1 - inside == pytest.approx(spending(0.05, 0.8), abs=1e-7)


def test_boundaries_hold_the_error_when_they_are_drawn() -> None:
    looks = np.array([0.13, 0.5, 0.55, 0.9, 1.1])
    steps = np.diff(looks, prepend=0)
    rng = np.random.default_rng(5)
    paths = (rng.normal(size=(200_000, 5)) * np.sqrt(steps)).cumsum(axis=1) / np.sqrt(looks)

    crossed = (np.abs(paths) >= boundaries(list(looks))).any(axis=1).mean()

    assert crossed == pytest.approx(0.05, abs=0.0015)


def test_a_sequential_p_value_is_where_a_boundary_is_touched() -> None:
    fractions = [0.3, 0.7, 1.0]
    for look, bound in enumerate(boundaries(fractions, 0.03)):
        statistics = [0.1] * look + [bound]
        if bound < 9:
            assert p_value(fractions[: look + 1], statistics) == pytest.approx(0.03, rel=1e-4)
    assert p_value([1.0], [1.96]) == pytest.approx(2 * stats.norm.sf(1.96), **SAME)
    assert p_value([0.5], [0.0]) == 1.0
    assert p_value([0.9], [8.9]) < 1e-9


def test_a_sequence_of_intervals_holds_at_all_times() -> None:
    rng = np.random.default_rng(3)
    runs = rng.normal(size=(2_000, 2_000)).cumsum(axis=1)
    n = np.arange(1, 2_001)
    width = multiplier(n, 0.05, 2_000)

    left = (np.abs(runs) / np.sqrt(n) > width)[:, 20:].any(axis=1).mean()

    assert left <= 0.05
    assert (width > 1.96).all()


def test_the_delta_method_of_a_ratio_is_that_of_drawing_donors_anew() -> None:
    rng = np.random.default_rng(1)
    gifts = rng.poisson(3, 3_000) + 1.0
    amount = gifts * rng.lognormal(1, 0.5, 3_000)
    found = estimate(sums(amount, gifts))

    drawn = rng.integers(0, 3_000, (800, 3_000))
    again = amount[drawn].sum(axis=1) / gifts[drawn].sum(axis=1)

    assert found.value == pytest.approx(amount.sum() / gifts.sum(), **SAME)
    assert found.error == pytest.approx(again.std(), rel=0.08)


def test_a_mean_is_a_ratio_to_one_and_its_z_that_of_welch() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.exponential(2, 400), rng.exponential(1.6, 300)
    ours = difference(estimate(sums(a)), estimate(sums(b)))

    assert z_of(ours) == pytest.approx(stats.ttest_ind(a, b, equal_var=False).statistic, **SAME)
    ratio = lift(estimate(sums(a)), estimate(sums(b)))
    assert np.exp(ratio.value) == pytest.approx(a.mean() / b.mean(), **SAME)
    parts = sums(a[:100]) + sums(a[100:])
    assert estimate(parts).error == pytest.approx(a.std(ddof=1) / 20, **SAME)


def test_winsorising_says_what_it_cut() -> None:
    values = np.array([0.0] * 900 + [1.0] * 98 + [5.0, 1_000.0])

    made, told = winsorised(values)

    assert told is not None
    assert (told.cap, told.share) == (5.0, 0.001)
    assert told.cut == pytest.approx(1 - 108 / 1_103)
    assert made.max() == 5
    assert winsorised(np.zeros(3))[1] is None
