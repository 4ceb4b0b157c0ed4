"""Every type of correlation says what its definition says, however hits arrive and are cut."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import combinations, pairwise, product
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from soc.detect.sigma.chain import Chain, Place
from soc.detect.sigma.clocks import Clocks
from soc.detect.sigma.event import Event
from soc.detect.sigma.memory import Counts
from soc.detect.sigma.predicate import Order
from soc.detect.sigma.rule import Correlation, CountKind
from soc.detect.sigma.threshold import Bounds, Condition, Expression, Measured, Way
from soc.detect.sigma.window import Asked, asked_of
from soc.model.value import micros

NOON = micros(datetime(2026, 11, 23, 12, tzinfo=UTC))
MINUTE = 60_000_000
SPAN = timedelta(minutes=5)
RULES = ("a", "b", "c")
LATE = timedelta(minutes=3)

Line = tuple[int, str, str, int, str, int]
"""Minute, rule that hits, group, number, source, and minutes until it comes."""
Result = tuple[str, str, int, Measured]
"""Rule, group, minute of the hit whose window it is, and what that comes to."""


def correlation(kind: CountKind, condition: Condition, **keys: Any) -> Correlation:
    about = {"id": "", "name": "it", "title": "", "level": "", "status": "", "tags": ()}
    about |= {"author": "", "licence": "", "digest": "", "path": Path("it.yml"), "line": 1}
    what = {"rules": RULES, "group_by": ("g",), "timespan": SPAN, "percentile": 75}
    counted = ("n",) if kind.startswith("value") else ()
    asked = {"kind": kind, "condition": condition, "counted": counted}
    return Correlation(**(about | what | asked | keys))


def listen(
    chain: Chain, batches: Sequence[Sequence[Line]], lateness: timedelta, end: int | None = None
) -> tuple[list[Result], dict[str, Counts]]:
    """Return all results in the order of their windows; the mark passes *end* at last."""
    told: list[Result] = []
    clocks, counts, seq = Clocks({}, lateness), dict[str, Counts](), 0
    for number, batch in enumerate(batches, start=1):
        clocks = Clocks(clocks.sources(), lateness, clocks.passed)
        seen: dict[str, list[Any]] = {one.name: [] for one in chain.correlations}
        for minute, rule, group, number_, source, delay in batch:
            seq += 1
            at, passed = NOON + minute * MINUTE, clocks.passed
            is_late = clocks.hear(seq, source, at, at + delay * MINUTE)
            event = Event({"g": group, "n": number_})
            for one in chain.counting(rule):
                hit = chain.see(
                    one, rule, event, Place(at, seq, passed, clocks.awaited, is_late=is_late)
                )
                seen[one.name] += [hit] if hit else []
        if number == len(batches) and end is not None:
            clocks._pass(seq + 1, end)
        results, counts = chain.settle(seen, counts, clocks.moves)
        counts = {n: Counts.model_validate_json(c.model_dump_json()) for n, c in counts.items()}
        for one, result in results:
            for minute in sorted({(end.at - NOON) // MINUTE for end in result.ends}):
                told += [(one.name, result.group[0], minute, result.counted)]
    return told, counts


def chains(rules: Sequence[str]) -> set[tuple[str, ...]]:
    return {c for n in range(len(rules) + 1) for c in combinations(rules, n)}


def in_order(hits: Sequence[Line], wanted: tuple[str, ...]) -> bool:
    times = [[minute for minute, rule, *_ in hits if rule == name] for name in wanted]
    return any(all(a <= b for a, b in pairwise(choice)) for choice in product(*times))


def measured(one: Correlation, hits: Sequence[Line]) -> Measured:
    """Return what the hits of one window come to, by the words of the definition."""
    numbers = sorted(Fraction(number) for _, _, _, number, *_ in hits)
    simple: dict[str, Measured] = {
        "event_count": len(hits),
        "value_count": len(set(numbers)),
        "temporal": frozenset(rule for _, rule, *_ in hits),
        "value_sum": sum(numbers, Fraction(0)),
        "value_avg": sum(numbers) / len(numbers) if numbers else None,
        "value_median": ranked(numbers, Fraction(1, 2)),
        "value_percentile": ranked(numbers, Fraction(one.percentile, 100)),
    }
    if one.kind is not CountKind.TEMPORAL_ORDERED:
        return simple[one.kind]
    found = [chain for chain in chains(RULES) if in_order(hits, chain)]
    if isinstance(one.condition, Bounds):
        return max(map(len, found))
    true = [way.present for way in one.condition.ways if in_order_set(way, found)]
    return true[0] if true else frozenset()


def ranked(numbers: Sequence[Fraction], share: Fraction) -> Fraction | None:
    if not numbers:
        return None
    place = share * (len(numbers) - 1)
    low, high = numbers[int(place)], numbers[-int(-place // 1)]
    return low + (high - low) * (place - int(place))


def in_order_set(way: Way, found: list[tuple[str, ...]]) -> bool:
    return any(way.present == frozenset(chain) for chain in found)


def expected(one: Correlation, lines: Sequence[Line], end: int) -> set[tuple[str, int]]:
    """Return the group and minute of each hit whose window makes *one* true, up to minute *end*."""
    asked, span, true = asked_of(one), 5, set[tuple[str, int]]()
    for at, _, group, *_ in lines:
        mine = [line for line in lines if line[2] == group]
        if asked in (Asked.AT_ONCE, Asked.ENDING):
            inside, due = [line for line in mine if at - span <= line[0] <= at], at
        elif asked is Asked.BEGINNING:
            inside, due = [line for line in mine if at <= line[0] <= at + span], at + span
        else:
            inside, due = [line for line in mine if at < line[0] <= at + span], at + span
        if one.condition.holds(measured(one, inside)) and (asked is Asked.AT_ONCE or due < end):
            last = max((line[0] for line in inside), default=due)
            true.add((group, at if asked is Asked.AT_ONCE else last))
    return true


LINES = st.lists(
    st.tuples(
        st.integers(0, 14),
        st.sampled_from(RULES),
        st.sampled_from("xy"),
        st.integers(0, 4),
        st.sampled_from("st"),
        st.integers(0, 4),
    ),
    max_size=14,
)
ORDERS = st.sampled_from(list(Order))
NUMBERS = st.sampled_from([Fraction(n, 2) for n in range(2, 9)])
BOUNDS = st.lists(st.tuples(ORDERS, NUMBERS), min_size=1, max_size=2).map(tuple).map(Bounds)
SETS = st.sets(st.sampled_from(RULES), max_size=3).map(frozenset)
WAYS = st.builds(lambda p, a: Way(p, a - p), SETS, SETS).filter(
    lambda way: way.present or way.absent
)
EXPRESSIONS = st.lists(WAYS, min_size=1, max_size=2).map(tuple).map(Expression)


@st.composite
def correlations(draw: Any) -> Correlation:
    kind = draw(st.sampled_from(list(CountKind)))
    condition = draw(EXPRESSIONS if kind == "temporal" and draw(st.booleans()) else BOUNDS)
    if kind is CountKind.TEMPORAL_ORDERED and draw(st.booleans()):
        ways = draw(st.lists(SETS.filter(bool), min_size=1, max_size=2))
        condition = Expression(tuple(Way(present, frozenset()) for present in ways))
    if kind is CountKind.VALUE_COUNT:
        return correlation(kind, condition, counted=("n",))
    return correlation(kind, condition)


@settings(max_examples=400, deadline=None)
@given(correlations(), LINES, st.integers(0, 30))
def test_what_is_true_is_told_and_nothing_else(
    one: Correlation, lines: list[Line], end: int
) -> None:
    """Whatever the order of arrival, as long as nothing is too late."""
    told, _ = listen(Chain([one]), [lines], timedelta(days=1), NOON + end * MINUTE)

    asked = asked_of(one)
    if asked is Asked.AT_ONCE:
        return_all = expected(one, lines, end)
        firsts = {(group, minute) for _, group, minute, _ in told}
        assert {group for group, _ in firsts} == {group for group, _ in return_all}
        assert firsts <= return_all
        return
    assert {(group, minute) for _, group, minute, _ in told} == expected(one, lines, end)


@settings(max_examples=300, deadline=None)
@given(correlations(), LINES, st.lists(st.integers(0, 14), max_size=4))
def test_what_is_forgotten_is_not_missed(
    one: Correlation, lines: list[Line], cuts: list[int]
) -> None:
    """Events in the order of time: each is forgotten as soon as no window can need it."""
    lines = [(minute * 3, *rest) for minute, *rest in sorted(lines)]
    ends = sorted({0, len(lines), *(min(cut, len(lines)) for cut in cuts)})
    batches = [lines[start:end] for start, end in pairwise(ends)] or [[]]

    told, _ = listen(Chain([one]), batches, timedelta(minutes=1), NOON + 99 * MINUTE)

    found = {(group, minute) for _, group, minute, _ in told}
    assert found == expected(one, lines, 99)


@settings(max_examples=300, deadline=None)
@given(
    correlations(),
    st.sampled_from([Bounds(((Order.GTE, Fraction(2)),)), Bounds(((Order.LT, Fraction(2)),))]),
    LINES,
    st.lists(st.integers(0, 14), max_size=4),
)
def test_the_cut_of_batches_does_not_matter(
    one: Correlation, condition: Bounds, lines: list[Line], cuts: list[int]
) -> None:
    """Nor for a correlation of correlations, with late hits and sources of different speed."""
    outer = correlation(CountKind.EVENT_COUNT, condition, name="outer", rules=("it", "b"))
    chain = Chain([one, outer])
    ends = sorted({0, len(lines), *(min(cut, len(lines)) for cut in cuts)})
    batches = [lines[start:end] for start, end in pairwise(ends)]

    whole, kept = listen(chain, [lines], LATE, NOON + 99 * MINUTE)
    parts, also_kept = listen(chain, batches or [[]], LATE, NOON + 99 * MINUTE)

    assert sorted(whole, key=repr) == sorted(parts, key=repr)
    assert {n: c.too_late for n, c in kept.items()} == {n: c.too_late for n, c in also_kept.items()}


@settings(max_examples=300, deadline=None)
@given(correlations(), BOUNDS, LINES)
def test_a_chain_counts_what_the_inner_one_says(
    one: Correlation, condition: Bounds, lines: list[Line]
) -> None:
    """Each window that makes the inner one true is a hit of the outer one, at its last event."""
    outer = correlation(CountKind.EVENT_COUNT, condition, name="outer", rules=("it",))
    day = timedelta(days=1)
    if condition.rises and condition.holds(0):
        return

    told, _ = listen(Chain([one, outer]), [lines], day, NOON + 30 * MINUTE)

    inner = [(minute, "it", group, 0, "s", 0) for group, minute in expected(one, lines, 30)]
    lag = 5 if asked_of(one) in (Asked.BEGINNING, Asked.FOLLOWING) else 0
    true = expected(outer, inner, 30 - lag)
    found = {(group, minute) for name, group, minute, _ in told if name == "outer"}
    if asked_of(outer) is Asked.AT_ONCE:
        assert found <= true
        assert {group for group, _ in found} == {group for group, _ in true}
    else:
        assert found == true
