"""A ``_bulk`` body is read as shippers write it, or refused as a whole with its line."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc.errors import Refused
from soc.ingest import bulk
from soc.ingest.bulk import Item

TAKEN = {
    "pairs": (b'{"create":{"_id":"a"}}\n{"x":1}\n', [Item("create", "i", "a", b'{"x":1}')]),
    "a blank line after each": (b'{"index":{}}\n{"x":1}\n\n\n', [Item("index", "i", None, b'{"x":1}')]),
    "an index of its own": (b'{"index":{"_index":"o"}}\r\n{}\r\n', [Item("index", "o", None, b"{}")]),
    "a document that is none": (b'{"index":{}}\nnope', [Item("index", "i", None, b"nope")]),
    "a delete has no document": (b'{"delete":{"_id":"a"}}\n{"index":{}}\n{}', [Item("delete", "i", "a", None), Item("index", "i", None, b"{}")]),
    "an update is refused alone": (b'{"update":{"_id":"a"}}\n{"doc":{}}\n', [Item("update", "i", "a", None)]),
    "nothing": (b"\n\n", []),
}  # fmt: skip
REFUSED = {
    "no action": (b"nope\n{}\n", "line 1"),
    "an unknown action": (b'{"upsert":{}}\n{}\n', "line 1"),
    "two actions": (b'{"index":{},"create":{}}\n{}\n', "line 1"),
    "an action that is a list": (b'{"index":[]}\n{}\n', "must be an object"),
    "an odd end": (b'{"index":{}}\n{}\n{"index":{}}\n', "no document"),
    "a number as id": (b'{"index":{"_id":7}}\n{}\n', "_id must be text"),
}


@pytest.mark.parametrize(("body", "items"), TAKEN.values(), ids=TAKEN)
def test_what_is_taken(body: bytes, items: list[Item]) -> None:
    assert bulk.parse(body, "i").items == items


@pytest.mark.parametrize(("body", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        bulk.parse(body, "i")


def test_an_index_must_be_named() -> None:
    with pytest.raises(Refused, match="no index"):
        bulk.parse(b'{"index":{}}\n{}\n', "")


def test_the_answer_has_the_keys_in_the_order_that_shippers_look_for() -> None:
    items = bulk.parse(b'{"create":{"_id":"a"}}\n{}\n{"create":{"_id":"b"}}\n{}\n', "i")

    assert bulk.answer(items, [True, False], 3) == (
        b'{"took":3,"errors":false,"items":[{"create":{"_index":"i","_id":"a","status":201}},'
        b'{"create":{"_index":"i","_id":"b","status":200,"result":"noop"}}]}'
    )


@given(
    st.sampled_from(["create", "index"]),
    st.lists(st.one_of(st.none(), st.text(alphabet='",:\\a\u00e9', max_size=4)), min_size=1),
)
def test_what_is_answered_together_is_json_of_each(action: str, ids: list[str | None]) -> None:
    asked = bulk.Asked([action] * len(ids), ["i"] * len(ids), ids, [b"{}"] * len(ids))

    said = json.loads(bulk.answer(asked, [True] * len(ids), 3))

    expected = [{action: {"_index": "i", "_id": one or "", "status": 201}} for one in ids]
    assert said == {"took": 3, "errors": False, "items": expected}


PIECES = st.sampled_from(
    [
        b'{"create":{}}', b'{"index":{"_id":"a"}}', b'{"create":{}},{"create":{}}', b'{"create":{"_id":"}', b'{"}}',
        b'{"create":{}', b'"x":{}}', b"{}", b'{"x":1}', b"", b" ", b"nope", b'{"delete":{}}', b'{"create":{"_index":""}}',
        b'{"create":{"_id":"' + b"x" * 600 + b'"}}', b'{"create":{},"index":{}}', b'{"create":{"_id":7}}', b'{"create":null}',
    ]
)  # fmt: skip


@given(st.lists(PIECES, max_size=6), st.booleans(), st.sampled_from(["i", ""]))
def test_what_is_read_together_is_what_is_read_line_by_line(
    pieces: list[bytes], ends: bool, index: str
) -> None:
    body = b"\n".join(pieces) + (b"\n" if ends else b"")

    def read(way: Callable[[bytes, str], bulk.Asked]) -> object:
        try:
            return way(body, index).items
        except Refused as refused:
            return refused.reason

    assert read(bulk.parse) == read(bulk.line_by_line)
