"""An announcement without its transaction is found when it can no longer come, and not before."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from soc.detect.unmatched import MOST_PENDING, Pending, Unmatched
from soc.model.event import Batch, empty
from soc.settings import Detect

Make = Callable[..., Batch]
DETECTOR = Unmatched(Detect(lateness=timedelta(minutes=10)))
HOUR = 3600


def announced(tx: str, at: int = 0) -> dict[str, Any]:
    return {
        "dataset": "funding.donation",
        "tx_hash": tx,
        "wallet": f"0x{tx}",
        "src_ip": "192.0.2.1",
        "at": at,
    }


def on_chain(tx: str, at: int = 0) -> dict[str, Any]:
    return {"dataset": "chain.donation", "tx_hash": tx, "wallet": f"0x{tx}", "at": at}


def removed(tx: str, at: int = 0) -> dict[str, Any]:
    return {**on_chain(tx, at), "raw": '{"chain": {"finality": "removed"}}'}


def block(at: int) -> dict[str, Any]:
    return {"dataset": "chain.block", "at": at}


def watch(make: Make, noon: datetime, *windows: tuple[list[dict[str, Any]], int]) -> list[str]:
    """Return the transactions found, showing each window at so many seconds after noon."""
    state, found, begin = Pending(), [], 1
    for rows, at in windows:
        batch = make([dict(row) for row in rows], begin)
        observed = DETECTOR.observe(batch, state, noon + timedelta(seconds=at))
        state, begin = observed.state, batch.upto + 1
        found += [finding.matched[0].value for finding in observed.findings]
    return found


CASES = {
    "confirmed": ([([announced("a"), on_chain("a", 60)], 60), ([block(3 * HOUR)], 3 * HOUR)], []),
    "confirmed before it is announced": ([([on_chain("a"), announced("a", 5)], 5), ([block(3 * HOUR)], 3 * HOUR)], []),
    "never on chain": ([([announced("a"), block(1)], 1), ([block(2 * HOUR)], 2 * HOUR)], ["a"]),
    "still awaited": ([([announced("a"), block(1)], 1), ([block(HOUR)], HOUR)], []),
    "told once": ([([announced("a"), block(1)], 1), ([block(2 * HOUR)], 2 * HOUR), ([block(3 * HOUR)], 3 * HOUR)], ["a"]),
    "an indexer that is behind delays the verdict": ([([announced("a"), block(1)], 1), ([{**block(60), "seen": 3 * HOUR}], 3 * HOUR), ([{**on_chain("a", 61), "seen": 3 * HOUR + 60}], 3 * HOUR + 60)], []),
    "a silent indexer is waited for": ([([announced("a"), block(1)], 1), ([], 30 * HOUR)], []),
    "an indexer that fell silent after the delay is not": ([([announced("a"), block(1)], 1), ([{**block(60), "seen": HOUR + 1}], HOUR + 1), ([], 2 * HOUR)], ["a"]),
    "of a silent indexer that comes back with it": ([([announced("a"), block(1)], 1), ([], 3 * HOUR), ([{**on_chain("a", 61), "seen": 4 * HOUR}], 4 * HOUR), ([], 5 * HOUR)], []),
    "taken back by the chain": ([([announced("a"), on_chain("a", 60)], 60), ([removed("a", 90)], 90), ([block(2 * HOUR)], 2 * HOUR)], ["a"]),
    "taken back before it is announced": ([([on_chain("a", 1), removed("a", 2), announced("a", 5)], 5), ([block(2 * HOUR)], 2 * HOUR)], ["a"]),
    "taken back and found again": ([([announced("a"), on_chain("a", 60), removed("a", 90), on_chain("a", 95)], 95), ([block(2 * HOUR)], 2 * HOUR)], []),
    "taken back and awaited anew": ([([announced("a"), on_chain("a", 60)], 60), ([removed("a", HOUR)], HOUR), ([block(HOUR + 1800)], HOUR + 1800)], []),
    "the transaction of someone else": ([([announced("a"), on_chain("a", 1), {**announced("a"), "wallet": "0xthief"}], 1), ([block(2 * HOUR)], 2 * HOUR)], ["a"]),
    "dated in the year 9999": ([([{**announced("a"), "at": 2_912_896 * 24 * HOUR, "seen": 0}, block(1)], 1), ([block(2 * HOUR)], 2 * HOUR)], ["a"]),
    "no chain at all": ([([announced("a")], 1), ([], 9 * HOUR)], []),
    "one of two": ([([announced("a"), announced("b"), on_chain("b", 9), block(9)], 9), ([block(2 * HOUR)], 2 * HOUR)], ["a"]),
}  # fmt: skip


@pytest.mark.parametrize(("windows", "found"), CASES.values(), ids=CASES)
def test_what_is_found(windows: list[Any], found: list[str], batch: Make, noon: datetime) -> None:
    assert watch(batch, noon, *windows) == found


def test_without_any_chain_the_answer_is_not_ready(batch: Make, noon: datetime) -> None:
    observed = DETECTOR.observe(batch([announced("a")]), Pending(), noon)

    assert [answer.reason for answer in observed.answers] == [
        "no source of chain.donation seen yet"
    ]


def test_while_the_chain_is_silent_the_answer_is_not_ready(batch: Make, noon: datetime) -> None:
    rows = [block(0), *[announced(f"{n}") for n in range(20)]]
    state = DETECTOR.observe(batch(rows), Pending(), noon).state

    observed = DETECTOR.observe(Batch(empty(), 21), state, noon + timedelta(minutes=71))

    assert observed.findings == ()
    assert [answer.reason for answer in observed.answers] == [
        "src is silent since 2024-10-04T12:00:00Z: no gift of it can be judged"
    ]


def test_a_block_that_was_replaced_does_not_take_the_gift_with_it(
    batch: Make, noon: datetime
) -> None:
    """Not even if that it was removed is told after the transaction is in another block."""
    found = '{{"chain": {{"block": {{"hash": "0x{}"}}, "finality": "{}"}}}}'
    rows = [
        announced("a"),
        {**on_chain("a", 1), "raw": found.format(1, "latest")},
        {**on_chain("a", 2), "raw": found.format(2, "latest")},
        {**on_chain("a", 3), "raw": found.format(1, "removed")},
    ]

    assert watch(batch, noon, (rows, 3), ([block(2 * HOUR)], 2 * HOUR)) == []


def test_of_too_many_announcements_the_oldest_go_and_are_counted(
    batch: Make, noon: datetime
) -> None:
    rows = [block(0), *[announced(f"{n}") for n in range(MOST_PENDING + 5)]]

    state = DETECTOR.observe(batch(rows), Pending(), noon).state

    assert (len(state.announced), state.left_out) == (MOST_PENDING, 5)
    assert "4 0x4" not in state.announced


def test_an_announcement_older_than_what_is_remembered_is_counted_not_judged(
    batch: Make, noon: datetime
) -> None:
    rows = [[on_chain("a", 1)], [block(9 * HOUR)], [{**announced("a", 1), "seen": 9 * HOUR}]]

    state = Pending()
    for n, window in enumerate(rows, 1):
        observed = DETECTOR.observe(batch(window, n), state, noon + timedelta(hours=9))
        state = observed.state

    assert (observed.findings, state.announced, state.too_late) == ((), {}, 1)


def test_the_finding_names_wallet_and_address(batch: Make, noon: datetime) -> None:
    state = DETECTOR.observe(batch([announced("a"), block(1)]), Pending(), noon).state

    (found,) = DETECTOR.observe(
        batch([block(2 * HOUR)], 3), state, noon + timedelta(hours=2)
    ).findings

    assert (str(found.entity), [str(e) for e in found.entities]) == (
        "wallet:0xa",
        ["wallet:0xa", "ip:192.0.2.1"],
    )
    assert found.seqs == (1,)


def test_memory_does_not_grow_with_confirmed_gifts(batch: Make, noon: datetime) -> None:
    state, begin = Pending(), 1
    for hour in range(12):
        rows = [
            row
            for n in range(20)
            for row in (on_chain(f"{hour}-{n}", hour * HOUR), announced(f"{hour}-{n}", hour * HOUR))
        ]
        window = batch(rows, begin)
        state = DETECTOR.observe(window, state, noon + timedelta(hours=hour)).state
        begin = window.upto + 1

    assert len(state.announced) == 0
    assert len(state.confirmed) <= 4 * 20
