"""The shape of an event tells where its fields stand, and what stands there is what ``Event`` finds."""

from collections.abc import Mapping
from functools import reduce
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from soc.detect.sigma.engine.resolver import Resolver
from soc.detect.sigma.event import Event, found_among

FIELDS = ("a", "a.b", "a.b.c", "b", "b.a", "c.c")
KEYS = st.sampled_from(["a", "A", "b", "c", "a.b", "b.c", "other", "another"])
LEAVES = st.sampled_from(["x", 1, None, True])
OBJECTS = st.recursive(
    st.dictionaries(KEYS, LEAVES | st.lists(LEAVES, max_size=2), max_size=4),
    lambda inner: st.dictionaries(KEYS, LEAVES | inner | st.lists(inner, max_size=2), max_size=4),
    max_leaves=8,
)


def at(document: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    return reduce(lambda found, key: found[key], path, document)


def values(document: Mapping[str, Any], name: str) -> list[object]:
    return [scalar.raw for scalar in Event(document).scalars(name)]


@given(OBJECTS)
def test_what_stands_at_a_path_is_the_field(document: dict[str, Any]) -> None:
    paths = Resolver(enumerate(FIELDS)).paths(document)
    for name, path in zip(FIELDS, paths, strict=True) if paths else ():
        if path is None:
            assert not Event(document).find(name).exists
        else:
            found = found_among([at(document, path)])
            assert [scalar.raw for scalar in found.scalars] == values(document, name)


@given(st.lists(OBJECTS, min_size=2, max_size=12))
def test_of_one_shape_the_paths_are_the_same(documents: list[dict[str, Any]]) -> None:
    known = Resolver(enumerate(FIELDS))
    seen: dict[object, object] = {}
    for document in [*documents, *({**one, "unasked": 1} for one in documents)]:
        paths = Resolver(enumerate(FIELDS)).paths(document)
        assert seen.setdefault(known.shape(document), paths) == paths


def test_a_key_that_nobody_asks_for_changes_no_shape() -> None:
    known = Resolver(enumerate(FIELDS))
    nested = {"a": {"b": {"c": 1}}}
    assert known.shape(nested) == known.shape({"z": 0, "a": {"y": 0, "b": {"x": 0, "c": 2}}})
    assert known.shape(nested) != known.shape({"a": {"b": {"c": 1}, "B": 2}})
    assert known.paths(nested) == (("a",), ("a", "b"), ("a", "b", "c"), None, None, None)
