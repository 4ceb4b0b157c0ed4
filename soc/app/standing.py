"""How an installation stands: figures of its parts, and each trouble with what to do about it."""

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from sqlmodel import Session, col, func, select

from soc.app.suite import Suite
from soc.errors import SocError
from soc.logs.port import OpenLog
from soc.model.shard import Marks, between, events_of, first_of, marks_of
from soc.model.value import rfc3339
from soc.respond import reconcile
from soc.store.failure import name_of
from soc.store.schema import newest, revision_of
from soc.store.session import reading
from soc.store.shards import listed
from soc.store.tables import DetectorWindow, Run, Shard, Step
from soc.watch.tick import PROJECTION

Plain = dict[str, Any]
LATE = timedelta(minutes=5)
"""So long an event may not be looked at, and a run not be begun."""
ENDED_WELL = timedelta(seconds=5)
"""Who told how far it got at most so long before its end, and not a lease before, sent it all."""
LOOKED_BACK = timedelta(days=1)


class Trouble(NamedTuple):
    """Something that is not well. remedy: what a person does about it."""

    about: str
    what: str
    remedy: str


def standing(suite: Suite, log: OpenLog) -> Plain:
    """Return the figures of every part, and ``troubles``, each with its ``remedy``."""
    now = suite.clock.now()
    with reading(suite.database) as looking:
        detectors = _detectors(looking, suite, log, now)
        runs = _runs(looking, now)
        shards = [_shard(one, now) for one in listed(looking)]
        edges = reconcile.standing(looking, suite.settings.edges, now, with_effects=False)
        revision = revision_of(looking.connection())
    events = _events(suite, log)
    store = {"name": name_of(suite.database), "revision": revision, "newest": newest()}
    troubles = [
        *_of_events(events),
        *_of_shards(shards),
        *_of_detectors(detectors),
        *_of_runs(runs),
        *(
            Trouble(
                one.about, f"{one.title}: {one.reason}", "look at the effects page and the edge"
            )
            for one in edges.troubles
        ),
        *_of_store(store),
        *_of_content(suite),
    ]
    return {
        "events": events,
        "detectors": detectors,
        "shards": shards,
        "runs": runs,
        "workers": {"last_sign": runs.pop("last_sign")},
        "edges": {
            "live": sum(edge.is_live for edge in edges.edges),
            "silent": sum(not edge.is_live for edge in edges.edges),
            "version": edges.version,
        },
        "store": store,
        "troubles": [one._asdict() for one in troubles],
    }


def _events(suite: Suite, log: OpenLog) -> Plain:
    limits, view = suite.settings.logs, suite.reader.view()
    spans = [(segment.min_ts, segment.max_ts) for segment in view.segments]
    return {
        "last_seq": view.upto,
        "waiting": view.upto - view.sealed,
        "segments": len(view.segments),
        "rows": sum(segment.rows for segment in view.segments),
        "bytes": sum(segment.bytes for segment in view.segments),
        "oldest": rfc3339(min(since for since, _ in spans)) if spans else None,
        "newest": rfc3339(max(until for _, until in spans)) if spans else None,
        "rejects": suite.reader.count_rejects(),
        "free": round(log.free, 4),
        "free_bytes": _free(suite.home.path),
        "warn_below": limits.warn_below,
        "refuse_below": limits.refuse_below,
        "problem": log.problem or None,
    }


def _free(path: Path) -> int | None:
    try:
        return shutil.disk_usage(path).free
    except OSError:
        return None


def _detectors(looking: Session, suite: Suite, log: OpenLog, now: datetime) -> list[Plain]:
    """Return how far each detector has read. lag: events that wait for it; since: of the first."""
    upto = log.reader.upto()
    names = {PROJECTION, "sigma", *(one.name for one in suite.models.values())}
    query = select(DetectorWindow).order_by(col(DetectorWindow.detector))
    return [_detector(row, upto, now) for row in looking.exec(query) if row.detector in names]


def _detector(row: DetectorWindow, upto: Marks, now: datetime) -> Plain:
    marks = marks_of(row.marks)
    lag = between(marks, upto)
    return {
        "detector": row.detector,
        "read": events_of(marks),
        "lag": lag,
        "moved": rfc3339(row.moved) if row.moved else None,
        "late": lag > 0 and (row.moved is None or now - row.moved > LATE),
        "failure": row.failure,
        "failed": rfc3339(row.failed) if row.failed else None,
    }


def _shard(one: Shard, now: datetime) -> Plain:
    """Return how far others see what a home took in, and whether it ended with more than that."""
    is_held = one.until > now
    return {
        "shard": one.shard,
        "owner": one.owner,
        "until": rfc3339(one.until),
        "events": one.upto - first_of(one.shard),
        "complete": rfc3339(one.complete) if one.complete else None,
        "holds_back": not is_held and (not one.complete or one.until - one.complete > ENDED_WELL),
    }


def _runs(looking: Session, now: datetime) -> Plain:
    """Return what runs are doing, and the last sign of a worker, as far as the store has one."""
    since = now - LOOKED_BACK
    states = select(Run.state, func.count()).where(
        (col(Run.finished).is_(None)) | (col(Run.finished) >= since)
    )
    counted = dict(looking.exec(states.group_by(col(Run.state))).all())
    begun = select(func.min(Run.created)).where(col(Run.state) == "queued")
    oldest = looking.exec(begun).one()
    owners = select(Run.lease_owner, func.count()).where(
        col(Run.state) == "running", col(Run.lease_until) > now
    )
    signs = [
        looking.exec(select(func.max(DetectorWindow.moved))).one(),
        looking.exec(select(func.max(Step.started))).one(),
    ]
    last = max((one for one in signs if one), default=None)
    return {
        "states": dict(sorted(counted.items())),
        "oldest_queued": rfc3339(oldest) if oldest else None,
        "is_late": bool(oldest and now - oldest > LATE),
        "owners": dict(looking.exec(owners.group_by(col(Run.lease_owner))).all()),
        "last_sign": rfc3339(last) if last else None,
    }


def _of_events(events: Plain) -> Iterator[Trouble]:
    free = f"{events['free']:.1%} of the disk is free"
    if events["free"] < events["refuse_below"]:
        yield Trouble("disk", f"{free}: events are refused", "make room, or move the home")
    elif events["free"] < events["warn_below"]:
        yield Trouble("disk", free, "make room, or let retention delete: soc retention plan")
    if events["problem"]:
        remedy = "look at the log of the suite, then ask soc segments verify"
        yield Trouble("event store", events["problem"], remedy)


def _of_shards(shards: list[Plain]) -> Iterator[Trouble]:
    for one in shards:
        if one["holds_back"]:
            what = f"{one['owner']} ended and did not send all that came since {one['complete']}"
            remedy = "start a front door at its home again: its journal has the rest"
            yield Trouble(f"shard {one['shard']}", what, remedy)


def _of_detectors(detectors: list[Plain]) -> Iterator[Trouble]:
    if not detectors:
        what = "no worker has ever run here: nothing is looked at"
        yield Trouble("workers", what, "start one: soc serve does, with the front door")
    for one in detectors:
        if one["failure"]:
            remedy = "correct what it names; it tries again by itself and has lost no event"
            yield Trouble(f"detector {one['detector']}", one["failure"], remedy)
        elif one["late"]:
            what = f"{one['lag']:,} events wait for it, and it has not moved for 5 minutes"
            remedy = "see whether a worker runs: soc serve starts one, soc work one more"
            yield Trouble(f"detector {one['detector']}", what, remedy)


def _of_runs(runs: Plain) -> Iterator[Trouble]:
    if runs["is_late"]:
        what = f"a run is queued since {runs['oldest_queued']} and was not begun"
        yield Trouble("workers", what, "see whether a worker runs: soc work starts one more")
    if waiting := runs["states"].get("needs_human", 0):
        yield Trouble("runs", f"{waiting} wait for a person", "settle them on the page of runs")


def _of_store(store: Plain) -> Iterator[Trouble]:
    if store["revision"] != store["newest"]:
        what = f"its revision is {store['revision']}, of {store['newest']}"
        yield Trouble("store", what, "start the suite again: it brings the store up to date")


def _of_content(suite: Suite) -> Iterator[Trouble]:
    for kind, problems in (
        ("playbooks", suite.playbooks.problems),
        ("sources", suite.sources.problems),
    ):
        if problems:
            what = f"{len(problems)} mistakes in {kind}, which are not used"
            yield Trouble(kind, what, f"correct them: the page of {kind} says where")
    try:
        _ = suite.policy
    except SocError as wrong:
        yield Trouble("retention", str(wrong), "correct the policy: soc retention check")
