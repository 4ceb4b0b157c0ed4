"""Score what each wallet and each account did in a bucket of event time against all others.

A score is never a verdict: its findings are of low severity, open no incident, and join one that
names the same entity.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import log10
from typing import Any, ClassVar

import numpy as np

from soc.content.digest import digest_of
from soc.detect.detector import Observed
from soc.detect.strangeness.model import Model, fit
from soc.detect.strangeness.profile import PROFILES
from soc.detect.strangeness.rows import Matrix
from soc.detect.watermark import Progress, advance, watermark
from soc.model.event import Batch
from soc.model.finding import Finding, NotReady, Score
from soc.model.value import (
    EntityKind,
    Severity,
    Utc,
    Value,
    bounded,
    bucket_of,
    entity,
    name_of,
    short,
    whole,
)
from soc.settings import Detect

FEATURES = ("events", "failures", "projects", "addresses", "kinds of event", "amount (log10)")
NEEDS = 200
"""Rows that must have been seen before the first opinion."""
REMEMBERED = 2_000
AT_LEAST = 0.995
PROFILE = PROFILES["lesinn"]
"""It spares workers scikit-learn."""
MOST_OPEN = 1_000
"""Buckets that are kept open; of more, the oldest are given up and their events are too late."""
MOST_SEQS = 25
"""Events by which an activity is shown."""
MOST_JUDGED = 10
"""Buckets that are judged in one go, oldest first; the rest in the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """What one entity did in one bucket; thousands are made for a window."""

    __pydantic_config__ = Value.model_config

    events: int = 0
    failures: int = 0
    projects: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    amount: int = 0
    first: Utc
    last: Utc
    seqs: tuple[int, ...] = ()

    def features(self) -> list[float]:
        """Return the row of numbers that is scored."""
        sizes = (len(self.projects), len(self.addresses), len(self.kinds))
        return [float(n) for n in (self.events, self.failures, *sizes)] + [log10(1 + self.amount)]


class Memory(Value):
    """What has been seen.

    open: activity per entity in each bucket not judged yet. rows: features of judged ones, newest
    last. judged: the end of the last bucket judged or given up. too_late: events for those.
    """

    open: Mapping[Utc, Mapping[str, Activity]] = {}
    rows: tuple[tuple[float, ...], ...] = ()
    sources: Mapping[str, Progress] = {}
    judged: Utc | None = None
    too_late: int = 0


class Anomaly:
    """Judges each bucket once, when the watermark has passed its end."""

    name = "anomaly"
    state = Memory
    column: ClassVar[str] = "wallet"
    kind: ClassVar[EntityKind] = EntityKind.WALLET

    @property
    def rules(self) -> tuple[str, ...]:
        """The slugs that its findings carry."""
        return (self.name,)

    def __init__(self, settings: Detect) -> None:
        tuning = settings.tuning.get(self.name)
        self._bucket = (tuning.bucket if tuning else None) or settings.bucket
        self._lateness = settings.lateness
        told = {"features": list(FEATURES), "needs": NEEDS, "profile": PROFILE.name}
        self._digest = digest_of({"rule": self.name, **told})

    def observe(self, batch: Batch, state: Memory, now: datetime) -> Observed[Memory]:
        """Count *batch*, then judge and close every bucket that has ended."""
        opened, judged, too_late = self._count(batch, state)
        sources = advance(state.sources, batch)
        mark = min((watermark(p, now, self._lateness) for p in sources.values()), default=None)
        rows = list(state.rows)
        answers: list[Finding | NotReady] = []
        for bucket in sorted(opened)[:MOST_JUDGED]:
            if mark is None or bucket > mark - self._bucket:
                break
            activities = opened.pop(bucket)
            answers += self._judge(bucket, activities, rows)
            rows += [tuple(activities[name].features()) for name in sorted(activities)]
            judged = bucket + self._bucket
        remembered = Memory(
            open=opened,
            rows=tuple(rows[-REMEMBERED:]),
            sources=sources,
            judged=judged,
            too_late=too_late,
        )
        return Observed(answers=tuple(answers), state=remembered)

    def _count(
        self, batch: Batch, state: Memory
    ) -> tuple[dict[datetime, dict[str, Activity]], datetime | None, int]:
        """Return open buckets with *batch* in them, the end of the closed ones, and too_late."""
        opened = {bucket: dict(seen) for bucket, seen in state.open.items()}
        judged, too_late = state.judged, state.too_late
        grown: dict[tuple[datetime, str], _Growing] = {}
        named = batch.having(self.column)
        names = (self.column, "seq", "outcome", "project", "src_ip", "dataset", "amount")
        for ts, name, *what in zip(named.moments, *map(named.column, names), strict=True):
            whom = name_of(self.kind, name)
            if whom is None:
                continue
            bucket = bucket_of(ts, self._bucket)
            if judged and bucket < judged:
                too_late += 1
                continue
            key = (bucket, whom)
            if key not in grown:
                old = opened.setdefault(bucket, {}).get(whom)
                grown[key] = _Growing(old or Activity(first=ts, last=ts))
            grown[key].add(ts, what)
        for (bucket, name), growing in grown.items():
            opened[bucket][name] = growing.activity()
        for bucket in sorted(opened)[: max(0, len(opened) - MOST_OPEN)]:
            too_late += sum(activity.events for activity in opened.pop(bucket).values())
            judged = bucket + self._bucket
        return opened, judged, too_late

    def _judge(
        self, bucket: datetime, activities: Mapping[str, Activity], rows: list[tuple[float, ...]]
    ) -> Iterator[Finding | NotReady]:
        if len(rows) < NEEDS:
            yield NotReady(reason=f"{self.name}: {len(rows)} of {NEEDS} rows seen")
            return
        names, model = sorted(activities), learned(np.array(rows))
        features = np.array([activities[name].features() for name in names])
        opinions = model.judge(features)
        shares, why = model.share(opinions.scores), model.reasons(features, opinions)
        for name, share, reasons in zip(names, shares, why, strict=True):
            if share < AT_LEAST:
                continue
            activity, whom = activities[name], entity(self.kind, name)
            if whom is None:
                continue
            yield Finding(
                rule=self.name,
                rule_digest=self._digest,
                title=f"{self.kind.capitalize()} {short(name)} behaved unlike all others",
                severity=Severity.LOW,
                entity=whom,
                entities=(whom,),
                bucket=bucket,
                first=activity.first,
                last=activity.last,
                count=activity.events,
                score=Score(value=float(share), reasons=tuple(map(str, reasons))),
                seqs=activity.seqs,
            )


class WalletAnomaly(Anomaly):
    """Per wallet."""

    name = "wallet-anomaly"


class AccountAnomaly(Anomaly):
    """Per account."""

    name = "account-anomaly"
    column = "user_name"
    kind = EntityKind.ACCOUNT


def learned(reference: Matrix) -> Model:
    """Return the model of what *reference* shows to be usual."""
    return fit(PROFILE, reference, FEATURES)


class _Growing:
    """What one entity did in one bucket, while a batch is counted."""

    def __init__(self, old: Activity) -> None:
        self._events, self._failures, self._amount = old.events, old.failures, old.amount
        self._projects, self._addresses, self._kinds = old.projects, old.addresses, old.kinds
        self._first, self._last, self._seqs = old.first, old.last, list(old.seqs)

    def add(self, ts: datetime, what: list[Any]) -> None:
        """Count one more event."""
        seq, outcome, project, address, dataset, amount = what
        self._events += 1
        self._failures += outcome == "failure"
        self._projects = _with(self._projects, project)
        self._addresses = _with(self._addresses, address)
        self._kinds = _with(self._kinds, dataset)
        if amount:
            self._amount += whole(amount) or 0
        self._first, self._last = min(self._first, ts), max(self._last, ts)
        if len(self._seqs) < MOST_SEQS:
            self._seqs.append(seq)

    def activity(self) -> Activity:
        """Return it as it is kept."""
        return Activity(
            events=self._events,
            failures=self._failures,
            projects=self._projects,
            addresses=self._addresses,
            kinds=self._kinds,
            amount=self._amount,
            first=self._first,
            last=self._last,
            seqs=tuple(self._seqs),
        )


def _with(known: tuple[str, ...], one: str | None) -> tuple[str, ...]:
    if not one or one in known:
        return known
    name = bounded(one)
    return tuple(sorted({*known, name}))[:100] if name and name not in known else known
