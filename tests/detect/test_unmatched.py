"""An announcement without its transaction is found when it can no longer come, and not before."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from soc.detect.unmatched import Pending, Unmatched
from soc.model.event import Batch
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
    "a silent indexer does not": ([([announced("a"), block(1)], 1), ([], 3 * HOUR)], ["a"]),
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
