"""A hit says which exclusion came nearest to sparing it, and what that lacked."""

from collections.abc import Callable
from typing import Any

import pytest

from soc.detect.sigma.ruleset import Ruleset

DETECTION = {
    "run": {"Image|endswith": "\\cmd.exe"},
    "filter_parent": {"Parent": ["a", "b", "c", "d"], "User|startswith": "SYS", "Signed": True},
    "filter_line": {"Line|contains": "update", "User": "admin"},
    "filter_net": {"Ip|cidr": "10.0.0.0/8"},
    "condition": "run and not 1 of filter_*",
}


@pytest.mark.parametrize(
    ("event", "lacking"),
    [
        pytest.param(
            {"Line": "an update", "User": "bob"},
            [("filter_line", "User", "is 'admin'")],
            id="one field",
        ),
        pytest.param(
            {"Parent": "b", "User": "SYSTEM"},
            [("filter_parent", "Signed", "is 'true'")],
            id="the nearer of two",
        ),
        pytest.param(
            {"Ip": "11.0.0.1"}, [("filter_net", "Ip", "is in 10.0.0.0/8")], id="a network"
        ),
    ],
)
def test_the_nearest_exclusion_is_told(
    load: Callable[..., Ruleset],
    rule_of: Callable[..., dict[str, Any]],
    event: dict[str, Any],
    lacking: object,
) -> None:
    ruleset = load({"a.yml": rule_of(detection=DETECTION)})

    (hit,) = ruleset.match({"Image": "c:\\cmd.exe", **event}).hits

    assert [tuple(one) for one in hit.nearest_filter] == lacking


@pytest.mark.parametrize(
    ("detection", "lacking"),
    [
        pytest.param({"s": {"f": "x"}, "condition": "s"}, [], id="no exclusion"),
        pytest.param(
            {"s": {"f": "x"}, "n": {"g": None}, "condition": "s and not n"},
            [("n", "g", "is null")],
            id="null",
        ),
        pytest.param(
            {"s": {"f": "x"}, "n": {"h|exists": True}, "condition": "s and not n"},
            [("n", "h", "exists")],
            id="exists",
        ),
        pytest.param(
            {"s": {"f": "x"}, "n": {"g|re": "a.c"}, "condition": "s and not n"},
            [("n", "g", "matches a.c")],
            id="regex",
        ),
        pytest.param(
            {"s": {"f": "x"}, "n": {"g|gt": 5}, "condition": "s and not n"},
            [("n", "g", "is gt 5")],
            id="number",
        ),
        pytest.param(
            {"s": {"f": "x"}, "n": {"g|fieldref": "f"}, "condition": "s and not n"},
            [("n", "g", "compares with f")],
            id="reference",
        ),
        pytest.param(
            {"s": {"f": "x"}, "n": ["word"], "condition": "s and not n"},
            [("n", "", "contains 'word'")],
            id="word",
        ),
        pytest.param(
            {"s": {"f": "x"}, "n": {"g": ["p", "q", "r", "t"]}, "condition": "s and not n"},
            [("n", "g", "is 'p', 'q', 'r' or 1 others")],
            id="many",
        ),
        pytest.param(
            {
                "s": {"f": "x"},
                "t": {"f": "y"},
                "n": {"g": "p"},
                "condition": "(t and not n) or (s and not n)",
            },
            [("n", "g", "is 'p'")],
            id="of the part that held",
        ),
    ],
)
def test_what_it_lacked_is_said_in_words(
    load: Callable[..., Ruleset],
    rule_of: Callable[..., dict[str, Any]],
    detection: object,
    lacking: object,
) -> None:
    (hit,) = load({"a.yml": rule_of(detection=detection)}).match({"f": "x", "g": "z"}).hits

    assert [tuple(one) for one in hit.nearest_filter] == lacking
