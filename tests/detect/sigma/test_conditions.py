from collections.abc import Callable
from typing import Any

import pytest

Fires = Callable[..., bool]

A, B, C = {"a": "1"}, {"b": "1"}, {"c": "1"}


@pytest.mark.parametrize(
    ("condition", "event", "expected"),
    [
        pytest.param("sel_a and sel_b", A | B, True, id="and"),
        pytest.param("sel_a and sel_b", A, False, id="and with one"),
        pytest.param("sel_a or sel_b", B, True, id="or"),
        pytest.param("not sel_a", B, True, id="not"),
        pytest.param("not not sel_a", A, True, id="not not"),
        pytest.param("sel_a or sel_b and other", A, True, id="and binds stronger"),
        pytest.param("(sel_a or sel_b) and other", A, False, id="parentheses"),
        pytest.param("not sel_a and sel_b", B, True, id="not binds strongest"),
        pytest.param("1 of sel_*", B, True, id="one of"),
        pytest.param("1 of sel_*", C, False, id="one of others"),
        pytest.param("any of sel_*", A, True, id="any of"),
        pytest.param("all of sel_*", A | B, True, id="all of"),
        pytest.param("all of sel_*", A, False, id="all of with one"),
        pytest.param("1 of them", C, True, id="one of them"),
        pytest.param("all of them", A | B | C, True, id="all of them leaves out _"),
        pytest.param("1 of them", {"d": "1"}, False, id="them has no _"),
        pytest.param("_hidden", {"d": "1"}, True, id="but it can be named"),
        pytest.param("1 of _*", {"d": "1"}, True, id="and by a pattern"),
        pytest.param("sel_a and not 1 of sel_b*", A, True, id="not one of"),
        pytest.param("1 of *_a", A, True, id="star in front"),
        pytest.param("1 of s*_b", B, True, id="star within"),
        pytest.param(["sel_a", "sel_b"], B, True, id="list of conditions"),
        pytest.param(["sel_a", "sel_b"], C, False, id="none of the list"),
    ],
)
def test_conditions(
    condition: object, event: dict[str, Any], *, expected: bool, fires: Fires
) -> None:
    selections = {"sel_a": A, "sel_b": B, "other": C, "_hidden": {"d": "1"}}

    assert fires(None, event, detection=selections | {"condition": condition}) is expected


def test_a_list_of_maps_is_any_of_them(fires: Fires) -> None:
    assert fires([A | B, C], C)
    assert not fires([A | B, C], A)
