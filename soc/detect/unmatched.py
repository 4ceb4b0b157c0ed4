"""Find announcements that are never confirmed: an event A without its B of the same key.

The default pair is a gift announced through the platform's API and the same gift on chain. A is
judged when the sources of B have come past A's time by more than the allowed delay, so a slow
indexer delays the verdict and does not make one.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import pyarrow as pa

from soc.content.digest import digest_of
from soc.detect.detector import Observed
from soc.detect.watermark import Progress, advance, watermark
from soc.model.event import Batch
from soc.model.finding import Finding, Match, NotReady
from soc.model.value import Entity, EntityKind, Severity, Utc, Value, bucket_of
from soc.settings import Detect

RULE = "qf-unmatched-donation"
ANNOUNCED = "funding.donation"
CONFIRMED = "chain.donation"
WITHIN = timedelta(hours=1)
DIGEST = digest_of({"rule": RULE, "announced": ANNOUNCED, "confirmed": CONFIRMED, "version": 1})


class Announcement(Value):
    """One A that has no B yet."""

    ts: Utc
    seq: int
    wallet: str
    address: str | None = None


class Pending(Value):
    """What has been seen.

    announced: by key. confirmed: keys of B that came first, with their time. sources: of B.
    """

    announced: Mapping[str, Announcement] = {}
    confirmed: Mapping[str, Utc] = {}
    sources: Mapping[str, Progress] = {}


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
        announced, confirmed = self._pair(batch, state)
        sources = advance(state.sources, _of(batch, CONFIRMED.partition(".")[0]))
        if not sources:
            waiting = NotReady(reason=f"no source of {CONFIRMED} seen yet")
            remembered = Pending(announced=announced, confirmed=confirmed)
            return Observed(answers=(waiting,) if announced else (), state=remembered)
        mark = min(watermark(p, now, self._lateness) for p in sources.values())
        overdue = {k: a for k, a in announced.items() if a.ts + self._within < mark}
        answers = tuple(self._judge(overdue))
        remembered = Pending(
            announced={k: a for k, a in announced.items() if k not in overdue},
            confirmed={k: ts for k, ts in confirmed.items() if ts + 2 * self._within >= mark},
            sources=sources,
        )
        return Observed(answers=answers, state=remembered)

    def _pair(
        self, batch: Batch, state: Pending
    ) -> tuple[dict[str, Announcement], dict[str, datetime]]:
        announced, confirmed = dict(state.announced), dict(state.confirmed)
        names = ("dataset", "tx_hash", "wallet", "ts", "seq", "src_ip")
        for dataset, key, wallet, ts, seq, address in zip(*map(batch.column, names), strict=True):
            if not key or dataset not in {ANNOUNCED, CONFIRMED}:
                continue
            if dataset == CONFIRMED:
                announced.pop(key, None)
                confirmed[key] = ts
            elif wallet and key not in confirmed:
                announced[key] = Announcement(ts=ts, seq=seq, wallet=wallet, address=address)
        return announced, confirmed

    def _judge(self, overdue: Mapping[str, Announcement]) -> Iterator[Finding]:
        for key, announcement in sorted(overdue.items()):
            wallet = Entity(kind=EntityKind.WALLET, value=announcement.wallet)
            named = (announcement.address,) if announcement.address else ()
            short = f"{announcement.wallet[:6]}…{announcement.wallet[-4:]}"
            yield Finding(
                rule=RULE,
                rule_digest=DIGEST,
                title=f"{short} announced a gift that is not on chain",
                severity=Severity.HIGH,
                entity=wallet,
                entities=(wallet, *(Entity(kind=EntityKind.IP, value=a) for a in named)),
                bucket=bucket_of(announcement.ts, self._bucket),
                first=announcement.ts,
                last=announcement.ts,
                matched=(Match(selection="announced", field="chain.tx.hash", value=key),),
                seqs=(announcement.seq,),
            )


def _of(batch: Batch, prefix: str) -> Batch:
    """Return the events of *batch* whose dataset begins with *prefix*: B's source is alive."""
    datasets = batch.column("dataset")
    mask = pa.array([bool(d) and d.startswith(f"{prefix}.") for d in datasets], pa.bool_())
    return Batch(batch.table.filter(mask), batch.upto)
