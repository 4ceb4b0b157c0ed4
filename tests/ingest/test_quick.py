"""The quick way reads what the plain way reads, or leaves it to the plain way."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc.ingest.parse import Intake
from soc.ingest.parsers.ecs import Ecs
from soc.ingest.parsers.windows import Windows
from soc.ingest.quick import NAMES
from soc.model.event import to_columns

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
INTAKE = Intake({"ecs": Ecs(), "windows": Windows()})
T = b'{"@timestamp":"2026-11-25T12:00:00Z",'

scalars = st.one_of(
    st.sampled_from(["donate", "-", "", " ", " a", "0xAB", "12", "x" * 2_000, "é", "\x1c", "A\u212a"]),
    st.text(max_size=5), st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False, allow_infinity=False),
)  # fmt: skip
values = st.one_of(
    scalars,
    st.lists(scalars, max_size=2),
    st.dictionaries(st.sampled_from(["id", "name", "raw"]), scalars),
)
keys = st.sampled_from(
    [*NAMES, "event", "funding", "EventID", "Event", "other", "funding.round", "round.id"]
)
times = st.sampled_from(
    [
        "2026-11-25T12:00:00Z",
        "2026-11-25T12:00:00.123456789+02:00",
        "2026-11-25",
        1_700_000_000_000,
        1.5,
        None,
        True,
        "soon",
    ]
)


@st.composite
def documents(draw: Any) -> dict[str, Any]:
    """Objects with the fields of ECS, each dotted, nested or both."""
    document: dict[str, Any] = {"@timestamp": draw(times)}
    for name, value in draw(st.dictionaries(keys, values, max_size=6)).items():
        *path, last = name.split(".") if draw(st.booleans()) else [name]
        place = document
        for part in path:
            inner = place.setdefault(part, {})
            place = inner if isinstance(inner, dict) else place
        place[last] = value
    return document


def both_ways(lines: list[bytes], ids: list[str | None]) -> tuple[Any, Any]:
    plain = to_columns(INTAKE.read(zip(lines, ids, strict=True)), NOON)
    return INTAKE.table(lines, ids, NOON), plain


@given(st.lists(st.tuples(documents(), st.sampled_from([None, "id1", ""])), max_size=5))
def test_both_ways_give_the_same_columns(given: list[tuple[dict[str, Any], str | None]]) -> None:
    quick, plain = both_ways([orjson.dumps(d) for d, _ in given], [i for _, i in given])

    assert quick.to_pylist() == plain.to_pylist()


AWKWARD = {
    "half a character": T + b'"a":"\\ud800"}',
    "no UTF-8 in a value": T + b'"a":"\xff"}',
    "no UTF-8 in a key": T + b'"\xff":1}',
    "a surrogate as UTF-8": T + b'"a":"\xed\xa0\x80"}',
    "a number too great": T + b'"a":1e999}',
    "a long number": T + b'"a":' + b"9" * 400 + b"}",
    "a long number in a list": T + b'"a":[1,' + b"9" * 400 + b"]}",
    "a long fraction": T + b'"a":1.' + b"9" * 400 + b"}",
    "a great exponent after a tab": T + b'"a":\t-1.5E+400}',
    "a great exponent with noughts before": T + b'"a":1e0309}',
    "a great exponent before a space": T + b'"a":[0.5E309 ],"b":1}',
    "no number": T + b'"a":NaN}',
    "a control character": T + b'"a":"\x01"}',
    "a key twice": T + b'"event":{"action":"a"},"event":{"outcome":"b"}}',
    "a time twice": T + b'"@timestamp":"2026-01-01T00:00:00Z"}',
    "a bare value": b"1",
    "two objects": T + b'"a":1}{}',
    "spaces around": b"  " + T + b'"a":1} \t',
    "a space that is none of JSON's": "\u00a0".encode() + T + b'"a":1}',
    "deep": T + b'"a":' + b"[" * 80 + b"]" * 80 + b"}",
    "deep, with breaks": T + b'"a":' + b"[\n" * 80 + b"\n]" * 80 + b"}",
    "a break between fields": T + b'\n"a":1}',
    "very deep": T + b'"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    "very long": T + b'"a":"' + b"x" * 1_100_000 + b'"}',
    "windows": T + b'"EventID":1,"Channel":"Security"}',
    "windows, nested": T + b'"Event":{"System":{"EventID":1}}}',
    "nothing": b"",
}  # fmt: skip


@pytest.mark.parametrize("line", AWKWARD.values(), ids=AWKWARD)
def test_both_ways_judge_awkward_lines_alike(line: bytes) -> None:
    quick, plain = both_ways([line, T + b'"event":{"action":"x"}}'], [None, "i"])

    assert quick.to_pylist() == plain.to_pylist()


@st.composite
def numbers(draw: Any) -> bytes:
    """Numbers about as great as a float can be, as JSON writes them in all its ways."""
    number = draw(st.sampled_from(["", "-"])) + str(
        draw(st.integers(0, 10 ** draw(st.integers(0, 80))))
    )
    if draw(st.booleans()):
        number += "." + draw(st.text("0123456789", min_size=1, max_size=80))
    number += draw(st.sampled_from("eE")) + draw(st.sampled_from(["", "+", "-"]))
    return f"{number}{'0' * draw(st.integers(0, 3))}{draw(st.integers(0, 400))}".encode()


@given(numbers(), st.sampled_from([b"", b" ", b"\t"]), st.booleans())
def test_both_ways_take_the_same_numbers(number: bytes, space: bytes, is_in_list: bool) -> None:
    value = b"[%b%b,1]" % (number, space) if is_in_list else number + space
    quick, plain = both_ways([T + b'"a":%b}' % value], [None])

    assert quick.to_pylist() == plain.to_pylist()


def test_usual_events_are_read_the_quick_way() -> None:
    lines = [T + b'"event":{"action":"a"},"wallet":{"address":"0xAB"}}', T + b'"event.action":"a"}']

    _, taken = INTAKE._quick.read(lines)  # type: ignore[union-attr]

    assert taken == [0, 1]
