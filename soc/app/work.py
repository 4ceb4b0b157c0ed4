"""What a worker does all day: windows, runs, effects whose time is over, numbers for the audit."""

import logging
import os
from threading import Event

from apscheduler.schedulers.background import BackgroundScheduler

from soc import audit
from soc.app.edges import Edges
from soc.app.enforcing import Enforcing
from soc.app.reloading import Reloading
from soc.app.silence import Silence
from soc.app.suite import Suite
from soc.incidents.record import record
from soc.model.finding import Finding
from soc.model.value import Entity, EntityKind, Severity, bucket_of
from soc.store.session import session

GIVE_WAY = 10
"""Niceness of a worker: under a flood, events are taken in first and looked at later."""
RUNS_EVERY = 0.25
AUDIT_EVERY = 2.0
REMIND_EVERY = 1.0
SILENCE_EVERY = 15.0
EDGES_EVERY = 5.0


def work(suite: Suite, stop: Event) -> None:
    """Work until *stop* is set; what is begun is finished first."""
    os.nice(GIVE_WAY)
    watch, engine = suite.watch(), suite.engine()
    reloading = Reloading(suite, watch)

    def look() -> None:
        reloading.look()
        watch.tick()

    def respond() -> None:
        while engine.work():
            pass

    def number() -> None:
        with session(suite.database) as writing:
            audit.number(writing)

    # A tick that is still running when the next is due is no news.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    clock = BackgroundScheduler(
        timezone="UTC",
        job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
    )
    clock.add_job(look, "interval", seconds=suite.settings.detect.every)
    runs = clock.add_job(respond, "interval", seconds=RUNS_EVERY)
    suite.on_queued = lambda: runs.modify(next_run_time=suite.clock.now())
    clock.add_job(engine.end_due, "interval", seconds=RUNS_EVERY)
    clock.add_job(engine.remind, "interval", seconds=REMIND_EVERY)
    clock.add_job(number, "interval", seconds=AUDIT_EVERY)
    silence = Silence(suite)
    clock.add_job(silence.look, "interval", seconds=SILENCE_EVERY)
    clock.add_job(Edges(suite).look, "interval", seconds=EDGES_EVERY)
    clock.add_job(Enforcing(suite).look, "interval", seconds=RUNS_EVERY)
    clock.start()
    stop.wait()
    clock.shutdown(wait=True)


def tell_of_death(suite: Suite, words: str) -> None:
    """Make an alert of a process that died and was started again."""
    now = suite.clock.now()
    name = words.partition(" ")[0]
    entity = Entity(kind=EntityKind.SOURCE, value=name)
    finding = Finding(
        rule="soc-process-died",
        rule_digest="",
        title=f"The suite's {name} process died and was started again",
        severity=Severity.MEDIUM,
        entity=entity,
        entities=(entity,),
        bucket=bucket_of(now, suite.settings.detect.bucket),
        first=now,
        last=now,
    )
    with session(suite.database) as writing:
        record(writing, [finding], {}, now, suite.settings.incidents)
        act = audit.Act(
            at=now, actor="soc", action="process.restart", object=f"process:{name}", reason=words
        )
        audit.record(writing, act)
