"""What a worker does all day: windows, runs, effects whose time is over, numbers for the audit."""

import logging
import os
from collections.abc import Callable
from threading import Event

from apscheduler.schedulers.background import BackgroundScheduler

from soc import audit
from soc.app import heartbeat
from soc.app.assessing import Assessing
from soc.app.breaches import Breaches
from soc.app.edges import Edges
from soc.app.enforcing import Enforcing
from soc.app.hands import Responding
from soc.app.heartbeat import Heartbeat, Jobs
from soc.app.measuring import Gauges
from soc.app.reloading import Reloading
from soc.app.retraining import Retraining
from soc.app.reviewing import Reviewing
from soc.app.silence import Silence
from soc.app.suite import Suite
from soc.incidents.record import record
from soc.model.finding import about_suite
from soc.model.value import Entity, EntityKind, Severity, bucket_of
from soc.respond import schedules
from soc.respond.engine import Engine
from soc.store.session import session

GIVE_WAY = 10
"""Niceness of a worker: under a flood, events are taken in first and looked at later."""
AUDIT_EVERY = 2.0
REMIND_EVERY = 1.0
TELL_HELD_EVERY = 10.0
SILENCE_EVERY = 15.0
SCHEDULES_EVERY = 5.0
EDGES_EVERY = 5.0
ENFORCE_EVERY = 0.25
ASSESS_EVERY = 5.0
GAUGE_EVERY = 60.0
REVIEW_EVERY = 600.0
CLOCKS_EVERY = 10.0
RETRAIN_EVERY = 15.0


def work(suite: Suite, stop: Event) -> None:
    """Work until *stop* is set; what is begun is finished first."""
    os.nice(GIVE_WAY)
    engine = suite.engine()
    # A tick that is still running when the next is due is no news.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    clock = BackgroundScheduler(
        timezone="UTC",
        job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
    )
    jobs = Jobs()
    for job, seconds in _beats(suite, engine).items():
        clock.add_job(jobs.watched(job.__qualname__, job), "interval", seconds=seconds)
    if suite.settings.respond.heartbeat_url:
        clock.add_job(Heartbeat(suite, jobs).beat, "interval", seconds=heartbeat.EVERY)
    responding = Responding(engine, stop, jobs)
    suite.on_queued = responding.wake
    responding.start()
    clock.start()
    stop.wait()
    clock.shutdown(wait=True)
    responding.join()


def _beats(suite: Suite, engine: Engine) -> dict[Callable[[], object], float]:
    """Return what is done again and again, and after how many seconds."""
    watch = suite.watch()
    reloading = Reloading(suite, watch)

    def look() -> None:
        reloading.look()
        watch.tick()

    def tell_held() -> None:
        suite.messenger.tell_held(suite.clock.now())

    def by_the_clock() -> None:
        schedules.start_due(suite.database, suite.playbooks.usable, suite.clock.now())

    def number() -> None:
        with session(suite.database) as writing:
            audit.number(writing)

    return {
        look: suite.settings.detect.every,
        engine.remind: REMIND_EVERY,
        tell_held: TELL_HELD_EVERY,
        number: AUDIT_EVERY,
        by_the_clock: SCHEDULES_EVERY,
        Silence(suite).look: SILENCE_EVERY,
        Edges(suite).look: EDGES_EVERY,
        Enforcing(suite).look: ENFORCE_EVERY,
        Assessing(suite).look: ASSESS_EVERY,
        Gauges(suite, watch).look: GAUGE_EVERY,
        Reviewing(suite).look: REVIEW_EVERY,
        Breaches(suite).look: CLOCKS_EVERY,
        Retraining(suite).look: RETRAIN_EVERY,
    }


def tell_of_death(suite: Suite, words: str) -> None:
    """Make an alert of a process that died and was started again."""
    now = suite.clock.now()
    name = words.partition(" ")[0]
    entity = Entity(kind=EntityKind.SOURCE, value=name)
    title = f"The suite's {name} process died and was started again"
    bucket = bucket_of(now, suite.settings.detect.bucket)
    finding = about_suite("soc-process-died", title, entity, Severity.MEDIUM, bucket, now)
    with session(suite.database) as writing:
        record(writing, [finding], {}, now, suite.settings.incidents)
        act = audit.Act(
            at=now, actor="soc", action="process.restart", object=f"process:{name}", reason=words
        )
        audit.record(writing, act)
