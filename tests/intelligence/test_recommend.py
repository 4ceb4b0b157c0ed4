"""Suggestions rest on what was known, say why, and are graded on what came after."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soc.errors import Refused, Unfit
from soc.intelligence.carts import Carts, of_sets
from soc.intelligence.recommend.evaluate import Graded, evaluate
from soc.intelligence.recommend.neighbours import index_of, known
from soc.intelligence.recommend.suggest import recommend
from tests.intelligence.gifts import Told, moment, view, wallet

SETS = st.lists(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=5), min_size=1, max_size=9)


def in_turn(sets: Sequence[Sequence[str]], seed: int = 1) -> Carts:
    """Return donors who gave to *sets* in their order, all of them mixed in time."""
    rng = np.random.default_rng(seed)
    plain = of_sets(sets)
    places = {name: n for n, name in enumerate(plain.projects)}
    rows = [
        (at, donor, places[project])
        for donor, one in enumerate(sets)
        for at, project in zip(
            sorted(rng.permutation(10_000)[: len(one)].tolist()), one, strict=True
        )
    ]
    rows.sort()
    first, donor, project = (np.array(column) for column in zip(*rows, strict=True))
    return replace(plain, donor=donor, project=project, first=first)


def tribes(donors: int = 90, seed: int = 3) -> Carts:
    """Return donors of three tastes, each with six of eighteen projects of its own."""
    rng = np.random.default_rng(seed)
    sets = [
        [f"p{(donor % 3) * 6 + place:02d}" for place in rng.permutation(6)[:4].tolist()]
        for donor in range(donors)
    ]
    return in_turn(sets, seed)


def group(graded: Sequence[Graded], name: str) -> Graded:
    return next(one for one in graded if one.group == name)


def test_where_tastes_differ_neighbours_are_better_than_popularity() -> None:
    found = group(evaluate(tribes(), 1).graded, "all wallets")
    ours, other = found.figures["neighbours"], found.figures["popularity"]

    assert ours["hr@5"].value > 0.8
    assert other["hr@5"].value < 0.6
    assert found.differences["hr@5"].low > 0
    assert found.differences["mrr"].low > 0
    assert found.chance["hr@5"] == pytest.approx(5 / 15, abs=0.05)


def test_where_nobody_has_a_taste_neighbours_are_not_better() -> None:
    rng = np.random.default_rng(5)
    sets = [[f"p{n:02d}" for n in rng.permutation(18)[:4].tolist()] for _ in range(150)]
    found = group(evaluate(in_turn(sets), 1).graded, "all wallets")

    assert found.differences["hr@10"].low <= 0
    assert found.differences["mrr"].low <= 0


def test_every_figure_lies_in_its_interval() -> None:
    for one in evaluate(tribes(), 1).graded:
        for figures in (*one.figures.values(), one.differences):
            assert all(
                0 <= abs(f.value) <= 1 and f.low <= f.value <= f.high for f in figures.values()
            )


def test_a_farm_that_copies_carts_flatters_the_figures_and_is_told_apart() -> None:
    rng = np.random.default_rng(2)
    honest = [[f"p{n:02d}" for n in rng.permutation(18)[:4].tolist()] for _ in range(80)]
    farm = [["f1", "f2", "f3", "f4"]] * 60
    whole = in_turn([*honest, *farm])
    carts = replace(whole, suspected=np.arange(140) >= 80)
    found = evaluate(carts, 1).graded

    every, clean = (group(found, name) for name in ("all wallets", "without suspected wallets"))
    ours = every.figures["neighbours"]["hr@5"], clean.figures["neighbours"]["hr@5"]
    copied = group(found, "all wallets, near-duplicates").figures["neighbours"]["hr@5"]
    rest = group(found, "all wallets, the rest").figures["neighbours"]["hr@5"]
    assert (every.donors, clean.donors) == (140, 80)
    assert ours[0].value > ours[1].value + 0.1
    assert copied.value > rest.value + 0.2


@settings(max_examples=40)
@given(SETS, st.integers(0, 10_000), st.integers(0, 8))
def test_nothing_from_the_moment_on_is_known(sets: list[list[str]], at: int, donor: int) -> None:
    whole = in_turn([sorted(set(one)) for one in sets])
    kept = whole.first < at
    past = replace(
        whole, donor=whole.donor[kept], project=whole.project[kept], first=whole.first[kept]
    )
    who = donor % len(sets)
    one, other = (known(index_of(carts), who, at) for carts in (whole, past))

    assert one.by_neighbours.tolist() == other.by_neighbours.tolist()
    assert one.by_popularity.tolist() == other.by_popularity.tolist()
    assert not set(one.by_neighbours.tolist()) & set(one.mine.tolist())
    assert one.near.tolist() == other.near.tolist()
    assert who not in one.near


def test_likeness_is_the_cosine_of_sets() -> None:
    found = known(index_of(of_sets(["ab", "abc", "bd", "e"])), 0, 1_000)

    assert found.near.tolist() == [1, 2]
    assert found.likeness.tolist() == pytest.approx([2 / 6**0.5, 1 / 2])
    assert found.votes.tolist() == [1, 2, 1, 1, 0]


def gave(*gifts: tuple[int, str]) -> list[Told]:
    return [
        Told(f"0x{n:x}", at=n, wallet=number, project=project)
        for n, (number, project) in enumerate(gifts)
    ]


GIFTS = gave(
    *((1, "a"), (2, "a"), (2, "b"), (3, "a"), (3, "b"), (3, "c")), *((n, "z") for n in range(4, 8))
)


def test_suggestions_say_how_many_of_the_nearest_gave() -> None:
    found = recommend(view(GIFTS), wallet(1).upper().replace("0X", "0x"), 3, moment(100))

    assert [one.project for one in found.suggestions] == ["b", "c", "z"]
    assert [one.reason for one in found.suggestions] == [
        "2 of your 2 nearest donors gave to it",
        "1 of your 2 nearest donors gave to it",
        "popular: 4 donors gave to it",
    ]
    assert found.given == ("a",)


@pytest.mark.parametrize(
    ("number", "basis"),
    [
        pytest.param(99, "popularity: this wallet gave to no project yet", id="unknown"),
        pytest.param(4, "popularity: nobody who gave to the same projects", id="alone"),
    ],
)
def test_who_cannot_be_compared_is_shown_what_is_popular_and_told_so(
    number: int, basis: str
) -> None:
    found = recommend(view(GIFTS), wallet(number), 2, moment(100))

    assert found.basis.startswith(basis)
    assert all(one.reason.startswith("popular: ") for one in found.suggestions)
    assert found.suggestions[0].project == ("z" if number == 99 else "a")


def test_suspected_wallets_have_no_vote() -> None:
    alert = {"wallet": wallet(3), "first": moment(0), "last": moment(9), "known": moment(9)}
    found = recommend(view(GIFTS, marks=[alert]), wallet(1), 5, moment(100))

    assert [one.project for one in found.suggestions] == ["b", "z"]
    assert found.left_out == 1


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(Refused, match="write an address, 0x and 40"):
        recommend(view(GIFTS), "vitalik", 3, moment(100))
    with pytest.raises(Refused, match="from 1 on"):
        recommend(view(GIFTS), wallet(1), 0, moment(100))
    with pytest.raises(Unfit, match="none of 0 donors"):
        recommend(view(GIFTS), wallet(1), 1, moment(0))
    with pytest.raises(Unfit, match="0 of 40 donors gave to 2 projects before"):
        evaluate(in_turn([["a", "b"], ["c"]] * 20), 1)
