"""Counting hits in sliding windows."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from random import Random
from time import process_time

import pytest

from soc.detect.sigma.chain import Chain, Place
from soc.detect.sigma.clocks import Clocks
from soc.detect.sigma.correlate import correlate
from soc.detect.sigma.event import Event
from soc.detect.sigma.memory import MAX_ALL, MAX_KEPT, Counts
from soc.detect.sigma.predicate import Order
from soc.detect.sigma.rule import Correlation, CountKind
from soc.detect.sigma.threshold import Bounds
from soc.detect.sigma.window import Correlated, Seen
from soc.model.value import MICROSECOND, micros

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LATENESS = 5 * MINUTE


def at(minute: float) -> int:
    return micros(NOON + minute * MINUTE)


def rule(kind: CountKind = CountKind.EVENT_COUNT, needs: int = 3, **keys: object) -> Correlation:
    """Return a correlation over ten minutes."""
    about = {"id": "", "name": "many", "title": "", "level": "", "status": "", "tags": ()}
    more = {"author": "", "licence": "", "digest": "", "path": Path("many.yml"), "line": 1}
    what = {"kind": kind, "rules": ("one",), "group_by": ("w",), "timespan": 10 * MINUTE}
    condition = Bounds(((Order.GTE, Fraction(needs)),))
    return Correlation(**(about | more | what | {"condition": condition} | keys))  # type: ignore[arg-type]


def seen(*minutes: float, group: str = "a", values: str = "", begin: int = 0) -> list[Seen]:
    """Return a hit at each of *minutes* after noon, in this order of arrival."""
    return [
        Seen(at(minute), begin + seq, (group,), values[seq : seq + 1])
        for seq, minute in enumerate(minutes)
    ]


Told = tuple[Seen, str, int]
"""A hit, its source, and when it was taken in."""


def run(one: Correlation, *batches: list[Seen] | list[Told]) -> tuple[list[Correlated], Counts]:
    """Return all results and the last state; the events are the hits and no others."""
    results: list[Correlated] = []
    state, clocks = Counts(), Clocks({}, LATENESS)
    for batch in batches:
        clocks = Clocks(clocks.sources(), LATENESS, clocks.passed)
        told = [hit if isinstance(hit[0], Seen) else (hit, "", hit.at) for hit in batch]
        heard = []
        for hit, source, arrived in sorted(told, key=lambda one: one[0].seq):
            passed = clocks.passed
            is_late = clocks.hear(hit.seq, source, hit.at, arrived)
            told_with = {"passed": passed, "awaited": clocks.awaited, "is_late": is_late}
            heard.append(hit._replace(**told_with))
        more, state = correlate(one, heard, state, moves=clocks.moves)
        results += more
        state = Counts.model_validate_json(state.model_dump_json())
    return results, state


def shown(results: list[Correlated]) -> list[tuple[float, float, int, tuple[int, ...]]]:
    """Return results as first and last minute, count and seqs."""
    return [
        ((one.first - at(0)) / at_minute, (one.last - at(0)) / at_minute, one.counted, one.seqs)
        for one in results
        for at_minute in [MINUTE // MICROSECOND]
    ]


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        pytest.param((0, 1), [], id="too few"),
        pytest.param((0, 5, 10), [(0, 10, 3, (0, 1, 2))], id="both ends count"),
        pytest.param((0, 5, 10.001), [], id="too far apart"),
        pytest.param(
            (0, 1, 2, 3), [(0, 2, 3, (0, 1, 2)), (0, 3, 4, (0, 1, 2, 3))], id="again while true"
        ),
        pytest.param((0, 1, 2, 12), [(0, 2, 3, (0, 1, 2))], id="no more when it slid on"),
        pytest.param((8, 9, 6), [(6, 9, 3, (2, 0, 1))], id="out of order"),
        pytest.param((0, 9, 13, 11), [(9, 13, 3, (1, 3, 2))], id="a late one fills a window"),
        pytest.param(
            (0, 9, 13, 14, 9.5),
            [(9, 14, 3, (1, 2, 3)), (9, 14, 4, (1, 4, 2, 3))],
            id="the fullest window",
        ),
        pytest.param((5, 5, 5), [(5, 5, 3, (0, 1, 2))], id="at one time"),
    ],
)
def test_events_are_counted_in_sliding_windows(
    minutes: tuple[float, ...], expected: list[tuple[float, float, int, tuple[int, ...]]]
) -> None:
    results, _ = run(rule(), seen(*minutes))

    assert shown(results) == expected


def test_groups_are_counted_apart() -> None:
    hits = [*seen(0, 1, group="a"), *seen(0, 1, 2, group="b", begin=2)]

    results, _ = run(rule(), hits)

    assert [one.group for one in results] == [("b",)]


@pytest.mark.parametrize(
    ("values", "counts"),
    [
        pytest.param("xyz", [3], id="different"),
        pytest.param("xyx", [], id="two alike"),
        pytest.param("xyzx", [3, 3], id="again with one alike"),
    ],
)
def test_different_values_are_counted(values: str, counts: list[int]) -> None:
    hits = seen(*range(len(values)), values=values)

    results, _ = run(rule(CountKind.VALUE_COUNT), hits)

    assert [one.counted for one in results] == counts


def test_what_is_later_than_the_lateness_is_counted_not_looked_at() -> None:
    results, state = run(rule(), seen(10, 9, 4.9))

    assert results == []
    assert state.too_late == 1


def of(source: str, *minutes: float, begin: int = 0, arrived: float = 20) -> list[Told]:
    """Return hits of one source that arrive together."""
    return [(one, source, at(arrived)) for one in seen(*minutes, begin=begin)]


def test_a_source_behind_the_others_is_still_counted() -> None:
    results, state = run(rule(), of("live", 20), of("late", 0, 1, 2, begin=1))

    assert [one.seqs for one in results] == [(1, 2, 3)]
    assert state.too_late == 0


def test_sources_are_counted_together() -> None:
    """What the fast one told is kept until the slow one has come as far."""
    results, _ = run(rule(), of("slow", 0), of("fast", 1, 30, begin=1), of("slow", 2, begin=3))

    assert [one.seqs for one in results] == [(0, 1, 3)]


def test_each_source_is_late_by_its_own_clock() -> None:
    _, state = run(rule(), of("a", 10, 4), of("b", 0, begin=2))

    assert state.too_late == 1


def test_a_silent_source_holds_nothing_back() -> None:
    silent, live = of("silent", 0, arrived=0), of("live", 100, begin=1, arrived=100)

    _, state = run(rule(), silent, live)

    assert [one.seq for kept in state.groups.values() for one in kept] == [1]


def test_of_all_groups_together_a_bounded_number_is_kept() -> None:
    hits = [Seen(at(0) + seq, seq, (str(seq),)) for seq in range(MAX_ALL + 9)]

    _, state = correlate(rule(), hits, Counts())

    assert sum(map(len, state.groups.values())) == MAX_ALL
    assert state.left_out == 9
    assert '["0"]' not in state.groups


def see(one: Correlation, document: dict[str, object]) -> Seen | None:
    return Chain([one]).see(one, "one", Event(document), Place(at(0), 7))


def test_values_of_any_length_are_counted_and_not_kept_whole() -> None:
    long, other = "x" * 100_000, "x" * 99_999 + "y"

    one, two = (see(rule(), {"w": value}) for value in (long, other))

    assert one is not None
    assert two is not None
    assert one.group != two.group
    assert len(one.group[0]) < 256


def test_what_no_window_can_need_is_forgotten() -> None:
    _, state = run(rule(), seen(0, 1), seen(17, group="b", begin=2))

    assert list(state.groups) == ['["b"]']


def test_what_is_kept_and_told_is_bounded() -> None:
    results, state = run(rule(), seen(*[0] * (MAX_KEPT + 50)))

    assert len(state.groups['["a"]']) == MAX_KEPT
    assert results[-1].counted == MAX_KEPT
    assert len(results[-1].seqs) == 200


def test_a_window_of_which_hits_were_forgotten_is_not_judged() -> None:
    """Of the rest, all are: those that begin after what was forgotten."""
    mean = Bounds(((Order.GTE, Fraction(0)),))
    flood = [hit._replace(value="1") for hit in seen(*[n / 10_000 for n in range(MAX_KEPT + 50)])]
    later = [hit._replace(value="1") for hit in seen(12, 40, begin=MAX_KEPT + 50)]

    results, state = run(rule(CountKind.VALUE_AVG, condition=mean), flood, later)

    assert state.left_out >= 50
    assert [one.seqs[-1] for one in results] == [MAX_KEPT + 50]


def test_a_flood_in_no_order_costs_little() -> None:
    minutes = [n / 3000 for n in range(10_000)]
    Random(1).shuffle(minutes)

    started = process_time()
    results, _ = run(rule(needs=100), seen(*minutes))

    assert process_time() - started < 8  # 1 s where nothing else runs; it was a minute
    assert max(one.counted for one in results) == 10_000


@pytest.mark.parametrize("step", [1, 20, 3_000_000])
def test_many_hits_at_a_time_are_counted_like_one_by_one(step: int) -> None:
    """Also on top of others, and with several at one moment."""
    random, moment = Random(step), at(0)
    hits = []
    for seq in range(1, 2_001):
        moment += random.choice([0, step, 9 * step])
        mark = moment - LATENESS // MICROSECOND
        group = (random.choice("abcdefgh"),)
        hits.append(Seen(moment, seq, group, passed=mark, awaited=mark))

    together, alone = Counts(), Counts()
    results: list[list[Correlated]] = [[], []]
    for begin in range(0, len(hits), 1_000):
        more, together = correlate(rule(needs=9), hits[begin : begin + 1_000], together)
        results[0] += more
    for hit in hits:
        more, alone = correlate(rule(needs=9), [hit], alone)
        results[1] += more

    assert [one._replace(ends=()) for one in results[1]] == results[0]
    assert together == alone
    assert Counts.model_validate_json(together.model_dump_json()) == alone


@pytest.mark.parametrize(
    ("document", "group", "value"),
    [
        pytest.param({"w": "0xab", "amount": "7"}, ("0xab",), '["7"]', id="whole"),
        pytest.param({"w": ["0xab", "0xcd"], "amount": 7}, ("0xab",), '["7"]', id="first of list"),
        pytest.param({"amount": 7}, None, None, id="no group"),
        pytest.param({"w": "0xab"}, None, None, id="nothing to count"),
    ],
)
def test_a_hit_is_seen_by_its_fields(
    document: dict[str, object], group: tuple[str, ...] | None, value: str | None
) -> None:
    one = rule(CountKind.VALUE_COUNT, counted=("n",), aliases={"n": {"one": "amount"}})

    hit = see(one, document)

    assert (hit and hit.group, hit and hit.value) == (group, value)
