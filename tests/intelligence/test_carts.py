"""Carts hold who first gave to what, as it was known at a moment."""

from datetime import timedelta

import numpy as np
import pytest

from soc.intelligence.carts import carts, of_sets
from tests.conftest import NOON
from tests.intelligence.gifts import MINED, SAID, Told, moment, view, wallet

TOLD = [
    Told("0x1", SAID, at=10, wallet=2, project="p2"),
    Told("0x2", SAID, at=20, wallet=1, project="p1"),
    Told("0x3", SAID, at=30, wallet=2, project="p2"),
    Told("0x4", MINED, at=40, late=100, wallet=2, project="p1"),
]


def test_a_cart_has_each_project_once_in_the_order_of_first_gifts() -> None:
    found = carts(view(TOLD), moment(1_000))

    assert found.wallets == (wallet(1), wallet(2))
    assert found.projects == ("p1", "p2")
    assert (found.donor.tolist(), found.project.tolist()) == ([1, 0, 1], [1, 0, 0])
    assert np.diff(found.first).tolist() == [10_000_000, 20_000_000]
    assert found.matrix.toarray().tolist() == [[1, 0], [1, 1]]


def test_what_was_not_known_yet_is_not_in_it() -> None:
    assert len(carts(view(TOLD), moment(60))) == 2
    assert len(carts(view(TOLD), moment(10))) == 0


@pytest.mark.parametrize(
    ("mark", "suspected"),
    [
        pytest.param({}, True, id="found"),
        pytest.param({"known": moment(500)}, False, id="found later"),
        pytest.param({"cleared": moment(60)}, False, id="cleared"),
        pytest.param({"cleared": moment(500)}, True, id="cleared later"),
    ],
)
def test_suspicion_is_as_of_the_moment(mark: dict[str, object], suspected: bool) -> None:
    alert = {"first": NOON, "last": NOON + timedelta(days=1), "known": moment(50), **mark}
    found = carts(view(TOLD, marks=[alert]), moment(400))

    assert found.suspected.tolist() == [suspected, False]


def test_a_part_has_only_its_donors_and_their_projects() -> None:
    part = of_sets(["ab", "bc", "c"]).of(np.array([False, False, True]))

    assert (part.wallets, part.projects) == (("000002",), ("c",))
    assert part.matrix.toarray().tolist() == [[1]]
