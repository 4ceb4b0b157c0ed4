"""The engine says of every event what rules say that are asked one by one."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from soc.detect.sigma.condition import (
    And,
    FieldExists,
    FieldIsNull,
    FieldMatch,
    FieldReference,
    Keyword,
    Node,
    Not,
    Or,
)
from soc.detect.sigma.engine.accepts import Accepts
from soc.detect.sigma.engine.ground import Ground
from soc.detect.sigma.engine.hyper import Databases
from soc.detect.sigma.engine.partition import Partition
from soc.detect.sigma.engine.tree import MANY
from soc.detect.sigma.engine.written import Written
from soc.detect.sigma.event import Event, Scalar
from soc.detect.sigma.predicate import (
    Compare,
    Contains,
    EndsWith,
    Equals,
    Number,
    Order,
    Pattern,
    Predicate,
    StartsWith,
)
from soc.detect.sigma.rule import LogSource, Rule
from soc.detect.sigma.ruleset import INDIGESTIBLE, Outcome, Ruleset
from soc.model.text import fold

AT_ONCE = Databases(after=0)
"""One pass for all expressions, from the first value on."""
SLOWLY = Databases()
"""As where there is no Hyperscan."""
SLOWLY.is_there = False
FIELDS = ["f", "F", "g", "a", "a.b", "A.B", "a.b.c", "b.c", "EventID"]
WORDS = [
    "a", "ab", "AB", "b", "", "\x00a", "a\x01", "\x00", "K", "\u212a", "ß", "İ", "a\nb", 'a"b',
    "\\", "\\n", "é", "1", "1.0", "1e5", "true", "x" * 5_000, "\ud800", "null", "f",
]  # fmt: skip
words = st.sampled_from(WORDS) | st.text('abAB\\"\n\x00\x01é', max_size=4)
needles = st.lists(words, min_size=1, max_size=3).map(tuple)


def _folded(texts: Sequence[str], *, cased: bool) -> tuple[str, ...]:
    return tuple(texts) if cased else tuple(map(fold, texts))


@st.composite
def predicates(draw: Any) -> Predicate:
    kind = draw(st.sampled_from([Equals, StartsWith, EndsWith, Contains, Number, Compare, Pattern]))
    if kind is Number:
        return Number(draw(st.sampled_from([0, 1, 1.0, 2])))
    if kind is Compare:
        return Compare(draw(st.sampled_from(list(Order))), draw(st.integers(-1, 2)))
    if kind is Pattern:
        source = draw(st.sampled_from(["a.b", "^a", "(?i)ab$", "[0-9]"]))
        return Pattern(source)
    cased = draw(st.booleans())
    found = _folded(draw(needles), cased=cased)
    return Equals(frozenset(found), cased) if kind is Equals else kind(found, cased)


several = st.lists(predicates(), min_size=1, max_size=2).map(tuple)
fields = st.sampled_from(FIELDS)
leaves = st.one_of(
    st.builds(FieldMatch, st.just("s"), fields, several, st.just(1)),
    st.builds(FieldIsNull, st.just("s"), fields),
    st.builds(FieldExists, st.just("s"), fields, st.booleans()),
    st.builds(FieldReference, st.just("s"), fields, fields, st.booleans(), st.booleans()),
    st.builds(Keyword, st.just("s"), several),
)
nodes = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: And(tuple(parts), 1)),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: Or(tuple(parts), 1)),
        inner.map(Not),
    ),
    max_leaves=5,
)
scalars = words | st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([1.0, 1.5, 1e16])
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["b", "B", "c", "b.c"]), inner, max_size=3)
    ),
    max_leaves=4,
)
documents = st.dictionaries(st.sampled_from([*FIELDS, "other"]), values, max_size=5)


def rule(name: str, condition: Node) -> Rule:
    return Rule(
        id="", name=name, title=name, level="", status="", tags=(), author="", licence="",
        digest="", path=Path(name), line=1, logsource=LogSource(), condition=condition,
        selections=("s",),
    )  # fmt: skip


def alone(node: Node, document: dict[str, Any]) -> bool | None:
    """Return what *node* says of *document*; None if it cannot be evaluated."""
    try:
        return node.holds(Event(document))
    except INDIGESTIBLE:
        return None


def decided(node: Node, document: dict[str, Any]) -> bool | None:
    """Return what *node* says if what cannot be evaluated might be true or false."""
    match node:
        case Not():
            found = decided(node.part, document)
            return None if found is None else not found
        case And() | Or():
            answers = [decided(part, document) for part in node.parts]
            ends = isinstance(node, Or)
            return ends if ends in answers else None if None in answers else not ends
    return alone(node, document)


def allowed(node: Node, document: dict[str, Any]) -> set[bool | None]:
    """Return what may be said: an error may be spared where all the rest decides."""
    found = alone(node, document)
    return {found} if found is not None else {None, decided(node, document)}


def many(field: str) -> Rule:
    """Return a rule that makes questions about *field* so many that short parts are not asked."""
    needles = tuple(f"never there {number}" for number in range(MANY))
    return rule(f"many {field}", FieldMatch("s", field, (Contains(needles),), 1))


def compare(conditions: list[Node], events: list[dict[str, Any]]) -> None:
    rules = tuple(rule(f"r{number}", one) for number, one in enumerate(conditions))
    ruleset = Ruleset(rules)
    again = Ruleset(rules, databases=AT_ONCE)
    by_words = Ruleset(rules, databases=SLOWLY)
    vaguely = Ruleset((*rules, many("f")), databases=SLOWLY)
    twice = [*events, *events]  # the second time everything is known
    check(rules, twice, [ruleset.match(document) for document in twice])
    for texts in (None, written(twice, ensure_ascii=True), written(twice, ensure_ascii=False)):
        check(rules, twice, again.match_all(twice, texts))
        check(rules, twice, by_words.match_all(twice, texts))
    check(rules, twice, vaguely.match_all(twice))
    if texts := written(twice, ensure_ascii=False):
        check(rules, twice, again.match_texts(texts))


def written(events: list[dict[str, Any]], *, ensure_ascii: bool) -> list[bytes] | None:
    """Return *events* as JSON; None if one cannot be written in UTF-8."""
    try:
        return [json.dumps(one, ensure_ascii=ensure_ascii).encode() for one in events]
    except UnicodeEncodeError:
        return None


def check(
    rules: Sequence[Rule], events: Sequence[dict[str, Any]], outcomes: Sequence[Outcome]
) -> None:
    for document, (hits, errors) in zip(events, outcomes, strict=True):
        found: dict[str, bool | None] = dict.fromkeys((one.name for one in rules), False)
        found |= {hit.rule.name: True for hit in hits}
        found |= {error.rule.name: None for error in errors}
        assert [n for n in found if found[n]] == [hit.rule.name for hit in hits]
        for one in rules:
            assert found[one.name] in allowed(one.condition, document), one.name


pairs = given(st.lists(nodes, min_size=1, max_size=4), st.lists(documents, min_size=1, max_size=4))


@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@pairs
def test_rules_together_say_what_they_say_alone(
    conditions: list[Node], events: list[dict[str, Any]]
) -> None:
    compare(conditions, events)


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@pairs
def test_forgetting_changes_no_answer(conditions: list[Node], events: list[dict[str, Any]]) -> None:
    rules = tuple(rule(f"r{number}", one) for number, one in enumerate(conditions))
    places = range(len(rules))
    partition = Partition(places, Ground(rules, most=500))
    for document in [*events, *events]:
        try:
            holds, is_open = partition.decide(document)
        except INDIGESTIBLE:
            continue
        for one in rules:
            answer = True if one in holds else None if one in is_open else False
            assert answer is None or answer in allowed(one.condition, document)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(predicates(), max_size=5), st.lists(words, min_size=1, max_size=30, unique=True))
def test_many_texts_are_told_what_each_is_told(asked: list[Predicate], texts: list[str]) -> None:
    accepts = Accepts(enumerate(asked), SLOWLY)
    try:
        found = accepts.of_each(texts)
        alone = {place: accepts.of(Scalar(text)) for place, text in enumerate(texts)}
    except UnicodeEncodeError:
        assert "ud800" in repr((asked, texts))
        return
    if found is not None:
        assert {place: found.get(place, set()) for place in alone} == alone


class Counter:
    """Counts how often it is told to forget."""

    times = 0

    def forget(self) -> None:
        self.times += 1


def test_what_is_remembered_is_bounded() -> None:
    (one,) = rules = (rule("r", FieldMatch("s", "f", (Contains(("needle",)),), 1)),)
    ground = Ground(rules, most=100_000)
    partition = Partition([0], ground)
    counter = Counter()
    ground.users.add(counter)

    found = [partition.decide({"f": f"{number}{'x' * 990}"}).holds for number in range(1_000)]
    last = partition.decide({"f": "a needle"}).holds

    assert set(found) == {()}
    assert last == (one,)
    assert 8 <= counter.times <= 12


@pytest.mark.trial
@pytest.mark.timeout(3_600)
@settings(max_examples=20_000, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@pairs
def test_many_rules_together_say_what_they_say_alone(
    conditions: list[Node], events: list[dict[str, Any]]
) -> None:
    compare(conditions, events)


def test_a_flood_of_new_texts_is_not_remembered_and_is_answered_alike() -> None:
    rules = (rule("r", FieldMatch("s", "f", (Contains(("needle",)),), 1)),)
    ruleset, ground = Ruleset(rules), Ground(rules)
    partition = Partition([0], ground)
    flood = [
        {"f": f"{number} {'x' * 80}{'needle' * (number % 100 == 0)}"} for number in range(40_000)
    ]

    found = sum(len(outcome.hits) for outcome in ruleset.match_all(flood))
    spent = []
    for begin in range(0, len(flood), 1_000):
        before = ground.used
        some = flood[begin : begin + 1_000]
        written = Written(range(1_000), None, some.__getitem__)
        partition.decide_all([[one["f"] for one in some]], written)
        spent.append(ground.used - before)

    assert found == 400
    assert min(spent[:8]) > 100_000
    assert max(spent[10:]) < 10_000


def test_short_parts_of_what_a_thousand_texts_are_asked_of_are_left_to_the_event() -> None:
    rare = FieldMatch("s", "g", (Equals(frozenset({"x"})),), 1)
    short = FieldMatch("s", "f", (Contains(("/c",)),), 1)
    guarded, alone = rule("guarded", And((rare, short), 1)), rule("alone", short)

    left = Partition([0, 1], Ground([guarded, many("f")]))
    asked = Partition([0, 1, 2], Ground([guarded, alone, many("f")]))

    assert left.decide({"f": "a /c", "g": "x"}) == ((), (guarded,))
    assert left.decide({"f": "a /c"}) == ((), ())
    assert asked.decide({"f": "a /c", "g": "x"}) == ((guarded, alone), ())


def test_events_of_ever_new_kinds_are_forgotten_and_answered_alike() -> None:
    (one,) = rules = (rule("r", FieldMatch("s", "f", (Contains(("needle",)),), 1)),)
    ruleset = Ruleset(rules)
    kinds = [{"f": "a needle", "EventID": number, f"k{number % 7}": 1} for number in range(25_000)]

    found = [outcome.hits[0].rule for outcome in ruleset.match_all([*kinds, *kinds[:10]])]

    assert found == [one] * 25_010


def test_fields_that_are_compared_may_lie_within_others() -> None:
    (one,) = rules = (rule("r", FieldReference("s", "a.b", "c", starts=False, ends=False)),)
    events: list[dict[str, Any]] = [
        {"a": {"b": "x"}, "c": "X"}, {"a.b": "x", "c": "x"}, {"a": {"b": "x"}, "c": "y"},
        {"a": [{"b": "y"}, {"b": "x"}], "c": ["z", "x"]}, {"A.B": "x", "C": "X"}, {"a": "x", "c": "x"},
    ]  # fmt: skip

    check(rules, events, Ruleset(rules).match_all(events))
    assert [one.condition.holds(Event(event)) for event in events] == [
        True,
        True,
        False,
        True,
        True,
        False,
    ]
