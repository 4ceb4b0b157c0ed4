"""Quadratic funding, plain and bounded by pairs, against the formulas as they are written."""

import random
from decimal import ROUND_FLOOR, Decimal, localcontext
from fractions import Fraction
from itertools import combinations
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soc.funding.matching import FINE, Gift, Quadratic, contributions, moved, quadratic, share
from soc.funding.pairs import ROUND, pairwise

PROJECTS, WALLETS = ("a", "b", "c"), tuple(f"0x{n}" for n in range(6))
GIFTS = st.lists(
    st.builds(Gift, st.sampled_from(PROJECTS), st.sampled_from(WALLETS), st.integers(0, 10**9)),
    max_size=14,
)
WEIGHTS = st.dictionaries(
    st.sampled_from(WALLETS), st.fractions(min_value=0, max_value=1, max_denominator=20), max_size=4
)
POOLS = st.integers(0, 10**12)
BOUNDS = st.integers(1, 10**9)


def told(gifts: list[Gift], weights: dict[str, Fraction]) -> dict[str, dict[str, int]]:
    """Return what each donor gave each project, weighed, without any code of ours."""
    sums: dict[str, dict[str, int]] = {}
    for project, wallet, amount in gifts:
        by = sums.setdefault(project, {})
        by[wallet] = by.get(wallet, 0) + amount
    return {
        project: {
            w: int(Fraction(amount) * weights.get(w, Fraction(1))) for w, amount in by.items()
        }
        for project, by in sums.items()
    }


def by_the_formula(
    given: dict[str, dict[str, int]], bound: int | None, bits: int
) -> dict[str, int]:
    """Return ideal matches in units of 2^-bits, nearest, by 120 digits and every single pair."""
    wallets = sorted({wallet for by in given.values() for wallet in by})
    with localcontext() as exact:
        exact.prec = 120
        root = {
            (p, w): Decimal(amount).sqrt() for p, by in given.items() for w, amount in by.items()
        }
        zero = Decimal(0)
        factor = {}
        for i, j in combinations(wallets, 2):
            agreed = sum((root.get((p, i), zero) * root.get((p, j), zero) for p in given), zero)
            factor[i, j] = Decimal(1) if bound is None else Decimal(bound) / (bound + agreed)
        ideal = {
            p: sum(
                (
                    factor[i, j] * 2 * root.get((p, i), zero) * root.get((p, j), zero)
                    for i, j in combinations(wallets, 2)
                ),
                zero,
            )
            for p in given
        }
        half = Decimal("0.5")
        return {
            p: int((value * 2**bits + half).to_integral_value(rounding=ROUND_FLOOR))
            for p, value in ideal.items()
        }


def paid_by_hand(ideal: dict[str, int], bits: int, pool: int) -> dict[str, int]:
    """Return what is paid of a pool, by fractions and the largest remainder."""
    exact = {p: Fraction(value, 2**bits) for p, value in ideal.items()}
    total = sum(exact.values(), Fraction())
    if total <= pool:
        return {p: int(value) for p, value in exact.items()}
    exact = {p: value * pool / total for p, value in exact.items()}
    paid = {p: int(value) for p, value in exact.items()}
    while sum(paid.values()) < pool:
        most = min(exact, key=lambda p: (paid[p] - exact[p], p))
        paid[most] += 1
    return paid


@given(GIFTS, WEIGHTS, POOLS)
@settings(max_examples=150, deadline=None)
def test_quadratic_funding_equals_the_formula_at_120_digits(
    gifts: list[Gift], weights: dict[str, Fraction], pool: int
) -> None:
    matching = share(quadratic(contributions(gifts, weights)), pool)

    expected = by_the_formula(told(gifts, weights), None, FINE)
    assert dict(matching.ideal) == expected
    assert dict(matching.paid) == paid_by_hand(expected, FINE, pool)


@given(GIFTS, WEIGHTS, POOLS, BOUNDS)
@settings(max_examples=150, deadline=None)
def test_pairwise_funding_equals_the_formula_at_120_digits(
    gifts: list[Gift], weights: dict[str, Fraction], pool: int, bound: int
) -> None:
    matching = share(pairwise(contributions(gifts, weights), bound), pool)

    expected = by_the_formula(told(gifts, weights), bound, ROUND)
    assert {p: value >> FINE - ROUND for p, value in matching.ideal.items()} == expected
    assert dict(matching.paid) == paid_by_hand(expected, ROUND, pool)


@given(GIFTS, POOLS, st.randoms(use_true_random=False), BOUNDS)
@settings(max_examples=60, deadline=None)
def test_the_order_of_gifts_changes_nothing(
    gifts: list[Gift], pool: int, chance: random.Random, bound: int
) -> None:
    turned = chance.sample(gifts, len(gifts))

    assert share(quadratic(contributions(turned)), pool) == share(
        quadratic(contributions(gifts)), pool
    )
    assert pairwise(contributions(turned), bound) == pairwise(contributions(gifts), bound)


@given(GIFTS, POOLS)
def test_a_short_pool_is_paid_out_to_the_last_unit_and_none_is_overdrawn(
    gifts: list[Gift], pool: int
) -> None:
    matching = share(quadratic(contributions(gifts)), pool)

    assert sum(matching.paid.values()) <= pool
    assert not matching.is_short or sum(matching.paid.values()) == pool
    assert min(matching.paid.values(), default=0) >= 0


@given(GIFTS, st.integers(1, 1000))
def test_what_all_give_a_square_number_of_times_as_much_is_matched_as_much_more(
    gifts: list[Gift], times: int
) -> None:
    square = times * times
    more = [gift._replace(amount=gift.amount * square) for gift in gifts]

    once, often = quadratic(contributions(gifts)), quadratic(contributions(more))

    assert all(abs(often[p] - once[p] * square) <= square for p in once)


@given(GIFTS, BOUNDS)
@settings(max_examples=60, deadline=None)
def test_no_pair_bound_matches_more_than_plain_and_a_huge_one_matches_the_same(
    gifts: list[Gift], bound: int
) -> None:
    contributed = contributions(gifts)
    plain, bounded, hardly = (
        quadratic(contributed),
        pairwise(contributed, bound),
        pairwise(contributed, 10**30),
    )

    step = 1 << FINE - ROUND
    assert all(bounded[p] <= plain[p] + step for p in plain)
    assert all(abs(hardly[p] - plain[p]) <= step for p in plain)


def test_one_pair_moves_at_most_twice_the_bound() -> None:
    gifts = [Gift("a", "0x1", 10**24), Gift("a", "0x2", 10**24)]

    (match,) = pairwise(contributions(gifts), 500).values()

    assert 999 << FINE < match <= 1000 << FINE


def test_the_example_of_the_paper_holds_to_the_unit() -> None:
    gifts = [Gift("a", f"0x{n}", 4) for n in range(5)] + [Gift("b", "0x9", 400)]

    matching = share(quadratic(contributions(gifts)), 1000)

    assert dict(matching.paid) == {"a": (5 * 2) ** 2 - 20, "b": 0}
    assert not matching.is_short


def test_roots_that_are_irrational_make_a_whole_match_whole() -> None:
    gifts = [Gift("a", "0x1", 2), Gift("a", "0x2", 8)]

    assert share(quadratic(contributions(gifts)), 99).paid["a"] == 8


@given(GIFTS, WEIGHTS, st.sets(st.sampled_from(WALLETS)))
def test_leaving_donors_out_is_as_if_they_had_not_given(
    gifts: list[Gift], weights: dict[str, Fraction], left_out: set[str]
) -> None:
    every = contributions(gifts, weights)
    without = quadratic(contributions([g for g in gifts if g.wallet not in left_out], weights))

    found = Quadratic(every).ideal(left_out)

    assert found == {project: without.get(project, 0) for project in every}


def test_what_is_left_by_rounding_goes_to_the_largest_remainder_and_the_smaller_name() -> None:
    ideal = {"c": 1 << FINE, "a": 1 << FINE, "b": 1 << FINE}

    assert dict(share(ideal, 2).paid) == {"c": 0, "a": 1, "b": 1}


def test_a_weight_of_nothing_is_as_if_the_wallet_had_not_given() -> None:
    gifts = [Gift("a", "0x1", 9), Gift("a", "0x2", 16), Gift("a", "0x3", 25)]

    assert quadratic(contributions(gifts, {"0x3": Fraction()})) == quadratic(
        contributions(gifts[:2])
    )


def test_the_fraud_tax_is_what_gains_and_losses_come_to() -> None:
    honest = [Gift("good", f"0x{n}", 100) for n in range(4)]
    rings = [Gift("bad", f"0xf{n}", 100) for n in range(4)]
    with_them = share(quadratic(contributions([*honest, *rings])), 1000)
    without = share(quadratic(contributions(honest)), 1000)

    found = moved(with_them, without)

    assert (found.gained, found.lost, found.share) == (500, 500, Fraction(1, 2))


def test_without_a_pool_nothing_is_moved() -> None:
    empty = share({}, 0)

    assert moved(empty, empty).share == 0


@pytest.mark.parametrize(
    ("gifts", "weights"),
    [
        pytest.param([Gift("a", "0x1", -1)], {}, id="negative amount"),
        pytest.param([], {"0x1": Fraction(3, 2)}, id="weight above 1"),
        pytest.param([], {"0x1": Fraction(-1)}, id="weight below 0"),
    ],
)
def test_what_no_gift_can_be_is_refused(gifts: list[Gift], weights: dict[str, Fraction]) -> None:
    with pytest.raises(ValueError, match="write"):
        contributions(gifts, weights)


def crowd(donors: int, projects: int) -> list[Gift]:
    """Return a round in which few projects have most of the gifts, as real ones do."""
    chance = random.Random(7)
    popular = [1 / (rank + 1) for rank in range(projects)]
    return [
        Gift(f"p{number:03}", f"0x{donor:040x}", chance.randrange(10**6, 10**9))
        for donor in range(donors)
        for number in chance.choices(range(projects), popular, k=chance.randint(1, 5))
    ]


def test_ten_thousand_donors_are_matched_in_less_than_a_second() -> None:
    gifts = crowd(10_000, 200)
    began = process_time()

    matching = share(quadratic(contributions(gifts)), 10**12)

    assert process_time() - began < 1
    assert matching.is_short


def test_ten_thousand_donors_are_matched_by_pairs_in_seconds() -> None:
    given_ = contributions(crowd(10_000, 200))
    pairs = sum(len(by) * (len(by) - 1) // 2 for by in given_.values())
    began = process_time()

    ideal = pairwise(given_, 10**8)

    assert process_time() - began < 20
    assert pairs > 5_000_000
    assert all(0 < ideal[p] < most for p, most in quadratic(given_).items() if most)
