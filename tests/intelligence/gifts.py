"""Events of gifts, as the platform and the chain tell them, for tests."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import pyarrow as pa
from hypothesis import strategies as st

from soc.intelligence.view.gather import Gathered, gather
from soc.intelligence.view.keep import Manifest, View
from soc.intelligence.view.marks import MARKS
from soc.intelligence.view.settle import settle
from soc.model.event import Batch, Row, empty, numbered, to_table
from soc.model.value import rfc3339
from tests.conftest import NOON

SAID, MINED = "funding.donation", "chain.donation"


class Told(NamedTuple):
    """One event. at: seconds after NOON; late: seconds from then to its intake."""

    tx: str
    dataset: str = MINED
    at: float = 0
    late: float = 1
    wallet: int = 1
    project: str = "p1"
    amount: str = "5"
    finality: str | None = "finalized"
    chain: int | None = 1
    round: str = "r1"


def wallet(number: int) -> str:
    """Return a wallet."""
    return f"0x{number:040x}"


def batch(told: Sequence[Told]) -> Batch:
    """Return the events that *told* says, numbered in their order."""
    tables = [_table(one) for one in told]
    rows = pa.concat_tables(tables) if tables else empty()
    return Batch(numbered(rows, 1), len(told))


def gathered(told: Sequence[Told]) -> Gathered:
    """Return what they say together."""
    return gather(batch(told))


def view(told: Sequence[Told], marks: Sequence[dict[str, object]] = ()) -> View:
    """Return a view of them."""
    tables = settle(found := gathered(told))
    manifest = Manifest("f", 1, rfc3339(NOON), {}, len(told), {}, {}, "0", {})
    rows = [{"wallet": wallet(1), "cleared": None, "confirmed": None, **one} for one in marks]
    return View(manifest, *tables, marks=pa.Table.from_pylist(rows, MARKS), gathered=found)


def moment(seconds: float) -> datetime:
    """Return the moment so long after NOON."""
    return NOON + timedelta(seconds=seconds)


def _table(one: Told) -> pa.Table:
    chain = {"id": one.chain, "finality": one.finality if one.dataset == MINED else None}
    document = {
        "chain": {key: value for key, value in chain.items() if value is not None},
        "funding": {"token": {"symbol": "USDC"}},
    }
    row = Row(
        ts=moment(one.at),
        raw=json.dumps(document),
        parser="ecs",
        dataset=one.dataset,
        wallet=wallet(one.wallet),
        project=one.project,
        round=one.round,
        amount=one.amount,
        tx_hash=one.tx,
    )
    return to_table([row], "platform", moment(one.at + one.late), ["events"])


TOLD = st.builds(
    Told,
    tx=st.sampled_from([f"0x{n}" for n in range(6)]),
    dataset=st.sampled_from([SAID, MINED]),
    at=st.integers(0, 200_000).map(float),
    late=st.sampled_from([0.0, 1.0, 3_600.0, 100_000.0]),
    wallet=st.integers(1, 3),
    project=st.sampled_from(["p1", "p2", "p3"]),
    amount=st.sampled_from(["1", "5", "70"]),
    finality=st.sampled_from(["latest", "finalized", "removed"]),
    round=st.sampled_from(["r1", "r2"]),
)
HISTORIES = st.lists(TOLD, min_size=1, max_size=14)
