"""What a field is: null, empty, missing and there; lists, objects, names and types."""

from collections.abc import Callable
from typing import Any

import pytest

from soc.detect.sigma.event import field

Fires = Callable[..., bool]

STATES: dict[str, dict[str, Any]] = {
    "missing": {},
    "null": {"f": None},
    "empty": {"f": ""},
    "text": {"f": "x"},
    "empty list": {"f": []},
}


@pytest.mark.parametrize(
    ("selection", "holds_for"),
    [
        pytest.param({"f": None}, {"missing", "null", "empty list"}, id="null"),
        pytest.param({"f": ""}, {"empty"}, id="empty text"),
        pytest.param({"f|exists": True}, {"null", "empty", "text", "empty list"}, id="exists"),
        pytest.param({"f|exists": False}, {"missing"}, id="exists not"),
        pytest.param({"f": "x"}, {"text"}, id="text"),
        pytest.param({"f": "*"}, {"empty", "text"}, id="anything"),
        pytest.param({"f|contains": ""}, {"empty", "text"}, id="contains nothing"),
        pytest.param({"f": [None, "x"]}, {"missing", "null", "text", "empty list"}, id="or null"),
        pytest.param({"f|neq": "x"}, STATES.keys() - {"text"}, id="neq"),
        pytest.param({"f|neq": None}, {"empty", "text"}, id="neq null"),
        pytest.param({"f|re": ".*"}, {"empty", "text"}, id="re"),
    ],
)
def test_null_empty_missing_and_there_are_four_things(
    selection: dict[str, Any], holds_for: set[str], fires: Fires
) -> None:
    assert {name for name, event in STATES.items() if fires(selection, event)} == set(holds_for)


def test_not_is_true_of_a_missing_field(fires: Fires) -> None:
    detection = {"filter": {"f|contains": "x"}, "condition": "not filter"}

    assert fires(None, {"g": 1}, detection=detection)
    assert not fires(None, {"f": "x"}, detection=detection)


@pytest.mark.parametrize(
    ("selection", "event", "expected"),
    [
        pytest.param({"f": "4624"}, {"f": 4624}, True, id="text and number"),
        pytest.param({"f": 4624}, {"f": "4624"}, True, id="number and text"),
        pytest.param({"f": 4624}, {"f": 4624.0}, True, id="number and float"),
        pytest.param({"f": "1"}, {"f": 1.0}, True, id="JSON knows no 1.0"),
        pytest.param({"f": 1.5}, {"f": "1.50"}, True, id="decimal text"),
        pytest.param({"f": 16}, {"f": "0x10"}, False, id="hexadecimal is text"),
        pytest.param({"f": "0x10"}, {"f": "0X10"}, True, id="hexadecimal as text"),
        pytest.param({"f": True}, {"f": "true"}, True, id="true and text"),
        pytest.param({"f": "true"}, {"f": True}, True, id="text and true"),
        pytest.param({"f": True}, {"f": 1}, False, id="true is not 1"),
        pytest.param({"f": 1}, {"f": True}, False, id="1 is not true"),
        pytest.param({"f": 2**63 + 1}, {"f": 2**63}, False, id="large numbers are exact"),
        pytest.param({"f|startswith": "46"}, {"f": 4624}, True, id="patterns see digits"),
        pytest.param({"f": "null"}, {"f": None}, False, id="null is no text"),
    ],
)
def test_types(selection: object, event: dict[str, Any], *, expected: bool, fires: Fires) -> None:
    assert fires(selection, event) is expected


@pytest.mark.parametrize(
    ("selection", "event", "expected"),
    [
        pytest.param({"f": "b"}, {"f": ["a", "B"]}, True, id="any element"),
        pytest.param({"f|contains|all": ["a", "b"]}, {"f": ["a", "b"]}, True, id="all of values"),
        pytest.param({"f|neq": "b"}, {"f": ["a", "b"]}, False, id="not means no element"),
        pytest.param({"f": "b"}, {"f": [["a"], ["b"]]}, True, id="lists in lists"),
        pytest.param({"f.g": "b"}, {"f": [{"g": "a"}, {"g": "b"}]}, True, id="list of objects"),
        pytest.param({"f": "a, b"}, {"f": ["a", "b"]}, False, id="a list is no text"),
        pytest.param({"f": "b"}, {"f": {"g": "b"}}, False, id="an object is no text"),
        pytest.param({"a.b.c": "x"}, {"a": {"b": {"c": "x"}}}, True, id="path"),
        pytest.param({"a.b.c": "x"}, {"a.b.c": "x"}, True, id="dotted key"),
        pytest.param({"a.b.c": "x"}, {"a.b": {"c": "x"}}, True, id="dotted, then nested"),
        pytest.param({"a.b.c": "x"}, {"a": {"b.c": "x"}}, True, id="nested, then dotted"),
        pytest.param({"a.b": "x"}, {"a.b": "y", "a": {"b": "x"}}, True, id="both spellings count"),
        pytest.param({"a.b": "x"}, {"a": "x"}, False, id="no path through text"),
        pytest.param({"LogonId": "1"}, {"LogonID": "1"}, True, id="case of keys"),
        pytest.param({"LogonId": "2"}, {"LogonID": "1", "LogonId": "2"}, True, id="loses nothing"),
        pytest.param({"LogonId": "1"}, {"LogonID": "1", "LogonId": "2"}, True, id="loses none"),
        pytest.param(
            {"Wallet.Address": "x"}, {"wallet": {"address": "x"}}, True, id="case of path"
        ),
        pytest.param({"Threat Name": "x"}, {"Threat Name": "x"}, True, id="spaces in keys"),
    ],
)
def test_lists_paths_and_names(
    selection: object, event: dict[str, Any], *, expected: bool, fires: Fires
) -> None:
    assert fires(selection, event) is expected


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        pytest.param({"wallet": {"address": "0xab"}}, "0xab", id="nested"),
        pytest.param({"wallet.address": ["0xab", "0xcd"]}, "0xab", id="first of a list"),
        pytest.param({"wallet": {"address": 7}}, "7", id="number as text"),
        pytest.param({"wallet": {"address": None}}, None, id="null"),
        pytest.param({"wallet": None}, None, id="missing"),
    ],
)
def test_a_field_is_looked_up_as_text(event: dict[str, Any], expected: str | None) -> None:
    assert field(event, "wallet.address") == expected
