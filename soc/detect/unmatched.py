"""Find announcements that are never confirmed: an event A without its B of the same key.

The default pair is a gift announced through the platform's API and the same gift on chain: the same
transaction, of the same wallet, in a block that stands. A is judged when the sources of B have come
past A's time by more than the allowed delay, so a slow indexer delays the verdict and does not make
one. As long as a source of B has not been heard since then, there is no verdict at all.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

import pyarrow.compute as pc

from soc.content.digest import digest_of
from soc.detect.chain import block_of, is_removed
from soc.detect.detector import Observed
from soc.detect.watermark import Progress, advance, watermark
from soc.model.event import Batch
from soc.model.finding import Finding, Match, NotReady
from soc.model.value import (
    EPOCH,
    EntityKind,
    Severity,
    Utc,
    Value,
    bounded,
    bucket_of,
    entity,
    rfc3339,
    short,
)
from soc.settings import Detect

RULE = "qf-unmatched-donation"
ANNOUNCED = "funding.donation"
CONFIRMED = "chain.donation"
WITHIN = timedelta(hours=1)
RETIRED = timedelta(days=1)
"""A source that has been silent for longer than others by so much is not awaited any more."""
KEPT = 3
"""How many times the allowed delay it is remembered what was confirmed."""
MOST_PENDING = 20_000
MOST_BLOCKS = 8
DIGEST = digest_of({"rule": RULE, "announced": ANNOUNCED, "confirmed": CONFIRMED, "version": 2})


class Announcement(Value):
    """One A. since: when the chain took its B back, if it did: then it waits anew."""

    ts: Utc
    seq: int
    wallet: str
    tx: str
    address: str | None = None
    since: Utc | None = None

    def is_due(self, mark: datetime, within: timedelta) -> bool:
        """Return whether its B should have come before *mark*."""
        return max(self.ts, self.since or self.ts) < mark - within


class Confirmation(Value):
    """What the chain says of one key: in which blocks it was found, and which of them stand."""

    ts: Utc
    blocks: Mapping[str, bool] = {}

    @property
    def stands(self) -> bool:
        """Return whether one of the blocks stands."""
        return any(self.blocks.values())


class Pending(Value):
    """What has been seen, by transaction and wallet.

    announced: what is not on chain. paired: what is, with its announcement: the chain may take it
    back. confirmed: what the chain said lately. sources: of B. left_out: announcements forgotten
    since there were too many. too_late: announcements so old that their B may be forgotten.
    """

    announced: Mapping[str, Announcement] = {}
    paired: Mapping[str, Announcement] = {}
    confirmed: Mapping[str, Confirmation] = {}
    sources: Mapping[str, Progress] = {}
    left_out: int = 0
    too_late: int = 0


class Pairs(NamedTuple):
    """The parts of Pending, while a batch is looked at."""

    announced: dict[str, Announcement]
    paired: dict[str, Announcement]
    confirmed: dict[str, Confirmation]
    too_late: int


class Unmatched:
    """Judges each announcement once; late events are waited for, as far as allowed."""

    name = "unmatched"
    rules = (RULE,)
    state = Pending

    def __init__(self, settings: Detect) -> None:
        tuning = settings.tuning.get(RULE)
        self._within = (tuning.timespan if tuning else None) or WITHIN
        self._bucket = (tuning.bucket if tuning else None) or settings.bucket
        self._lateness = settings.lateness

    def observe(self, batch: Batch, state: Pending, now: datetime) -> Observed[Pending]:
        """Pair what came, then judge what B's sources can no longer bring."""
        known_from = self._mark(state.sources, now) - KEPT * self._within
        announced, paired, confirmed, too_late = _pair(batch, state, known_from + self._within)
        sources = _in_service(advance(state.sources, _of(batch, CONFIRMED.partition(".")[0])))
        if not sources:
            waiting = NotReady(reason=f"no source of {CONFIRMED} seen yet")
            newest, left_out = _newest(announced, state.left_out)
            remembered = Pending(announced=newest, confirmed=confirmed, left_out=left_out)
            return Observed(answers=(waiting,) if announced else (), state=remembered)
        mark = self._mark(sources, now)
        due = {k: a for k, a in announced.items() if a.is_due(mark, self._within)}
        unheard = {k: a for k, a in due.items() if self._silent(a, sources)}
        overdue = {k: a for k, a in due.items() if k not in unheard}
        kept, left_out = _newest(
            {k: a for k, a in announced.items() if k not in overdue}, state.left_out
        )
        forgotten = mark - KEPT * self._within
        remembered = Pending(
            announced=kept,
            paired={k: a for k, a in paired.items() if confirmed[k].ts >= forgotten},
            confirmed={k: one for k, one in confirmed.items() if one.ts >= forgotten},
            sources=sources,
            left_out=left_out,
            too_late=too_late,
        )
        answers: list[Finding | NotReady] = [*self._judge(overdue), *self._wait(unheard, sources)]
        return Observed(answers=tuple(answers), state=remembered)

    def _mark(self, sources: Mapping[str, Progress], now: datetime) -> datetime:
        marks = (watermark(one, now, self._lateness) for one in sources.values())
        return min(marks, default=EPOCH + KEPT * self._within)

    def _silent(self, one: Announcement, sources: Mapping[str, Progress]) -> list[str]:
        """Return the sources that were not heard since the B of *one* was due."""
        return [name for name, p in sources.items() if not one.is_due(p.intake, self._within)]

    def _wait(
        self, unheard: Mapping[str, Announcement], sources: Mapping[str, Progress]
    ) -> Iterator[NotReady]:
        silent = {name for one in unheard.values() for name in self._silent(one, sources)}
        for name in sorted(silent):
            since = rfc3339(sources[name].intake)
            yield NotReady(reason=f"{name} is silent since {since}: no gift of it can be judged")

    def _judge(self, overdue: Mapping[str, Announcement]) -> Iterator[Finding]:
        for _, one in sorted(overdue.items()):
            wallet = entity(EntityKind.WALLET, one.wallet)
            if wallet is None:
                continue
            address = entity(EntityKind.IP, one.address)
            yield Finding(
                rule=RULE,
                rule_digest=DIGEST,
                title=f"{short(one.wallet)} announced a gift that is not on chain",
                severity=Severity.HIGH,
                entity=wallet,
                entities=(wallet, address) if address else (wallet,),
                bucket=bucket_of(one.ts, self._bucket),
                first=one.ts,
                last=one.ts,
                matched=(Match(selection="announced", field="chain.tx.hash", value=one.tx),),
                seqs=(one.seq,),
            )


def _pair(batch: Batch, state: Pending, known_from: datetime) -> Pairs:
    too_late = state.too_late
    pairs = Pairs(dict(state.announced), dict(state.paired), dict(state.confirmed), 0)
    names = ("dataset", "tx_hash", "wallet", "seq", "src_ip", "raw")
    told = batch.only("dataset", (ANNOUNCED, CONFIRMED)).having("tx_hash")
    for ts, dataset, hashed, named, seq, address, raw in zip(
        told.moments, *map(told.column, names), strict=True
    ):
        if not hashed or not named:
            continue
        tx, wallet = bounded(hashed, fold=True), bounded(named, fold=True)
        key = f"{tx} {wallet}"
        if dataset == CONFIRMED:
            _confirm(pairs, key, ts, raw)
            continue
        if ts < known_from:
            too_late += 1
            continue
        one = Announcement(ts=ts, seq=seq, wallet=wallet, tx=tx, address=address)
        if key in pairs.confirmed and pairs.confirmed[key].stands:
            pairs.paired.setdefault(key, one)
        else:
            pairs.announced.setdefault(key, one)
    return pairs._replace(too_late=too_late)


def _confirm(pairs: Pairs, key: str, ts: datetime, raw: str) -> None:
    """Note what the chain says of *key*, and move its announcement to where it belongs now."""
    old = pairs.confirmed.get(key) or Confirmation(ts=ts)
    others = {block: stands for block, stands in old.blocks.items() if block != block_of(raw)}
    blocks = [*others.items(), (block_of(raw), not is_removed(raw))][-MOST_BLOCKS:]
    now = Confirmation(ts=max(old.ts, ts), blocks=dict(blocks))
    pairs.confirmed[key] = now
    if now.stands and key in pairs.announced:
        pairs.paired[key] = pairs.announced.pop(key)
    elif not now.stands and key in pairs.paired:
        pairs.announced[key] = pairs.paired.pop(key).model_copy(update={"since": ts})


def _in_service(sources: Mapping[str, Progress]) -> dict[str, Progress]:
    newest = max((one.intake for one in sources.values()), default=None)
    return {n: one for n, one in sources.items() if newest and newest - one.intake <= RETIRED}


def _newest(
    announced: Mapping[str, Announcement], left_out: int
) -> tuple[Mapping[str, Announcement], int]:
    """Return as many of *announced* as are kept, the newest, and how many were ever left out."""
    more = len(announced) - MOST_PENDING
    if more <= 0:
        return announced, left_out
    oldest = sorted(announced, key=lambda key: (announced[key].seq, key))[:more]
    gone = set(oldest)
    return {k: one for k, one in announced.items() if k not in gone}, left_out + more


def _of(batch: Batch, prefix: str) -> Batch:
    """Return the events of *batch* whose dataset begins with *prefix*: B's source is alive."""
    of_it = pc.starts_with(batch.table["dataset"], f"{prefix}.")
    return Batch(batch.table.filter(of_it), batch.upto)
