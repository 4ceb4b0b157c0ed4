"""The processes that ``respond.py`` disturbs: workers, and one that makes incidents.

``python tests/trials/responders.py URL FOLDER`` reads lines ``worker`` and ``submitter`` from its
input, forks one such process for each and answers with its number. What they do is product code;
who judges them imports none of it.
"""

import os
import random
import sys
import time
from contextlib import suppress
from pathlib import Path

from soc import plugins
from soc.clock import SystemClock
from soc.content.kinds import load
from soc.errors import StoreError
from soc.incidents.record import record
from soc.model.finding import Finding
from soc.model.value import Entity, Severity, bucket_of
from soc.respond.engine import Engine
from soc.respond.hands import LiveHands
from soc.respond.notifier import Outbox
from soc.respond.playbook import Playbook
from soc.respond.trigger import trigger
from soc.respond.turn import Means
from soc.settings import Detect, Mode, Respond
from soc.store.session import Database, connect, session
from soc.triage import Incidents

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.respond.acts import OWN

ACTIONS = {**plugins.load("soc.actions"), **OWN}
LOST = 0.05


def reached(url: str) -> Database:
    """Return the store, once it can be reached."""
    while True:
        try:
            return connect(url)
        except StoreError:
            time.sleep(LOST)


def work(url: str, folder: Path, lease: float) -> None:
    """Carry runs and end effects for ever."""
    from datetime import timedelta

    policy = Respond(mode=Mode.FULL, budget=1_000_000, lease=timedelta(seconds=lease))
    means = Means(
        actions=ACTIONS,
        notifier=Outbox(folder / "outbox"),
        playbook=lambda _: None,
        hands=LiveHands(),
    )
    engine = Engine(reached(url), SystemClock(), policy, means, f"worker {os.getpid()}")
    while True:
        try:
            if not (engine.end_due() or engine.work()):
                time.sleep(0.01)
        except StoreError:
            time.sleep(LOST)


EACH_ALONE = Incidents(storm_after=1_000_000)
"""An incident for each finding: a run that is lost leaves one without any."""


def submit(url: str, book: Playbook) -> None:
    """Make an incident with its run in one transaction, again and again."""
    random.seed(os.getpid())
    database, clock, number = reached(url), SystemClock(), 0
    while True:
        number += 1
        with suppress(StoreError), session(database) as writing:
            found = _finding(f"wallet:0x{os.getpid()}x{number}", clock)
            changes = record(writing, [found], {}, clock.now(), EACH_ALONE)
            trigger(writing, (change.incident for change in changes), [book], clock.now())
        time.sleep(random.random() * 0.1)


def _finding(entity: str, clock: SystemClock) -> Finding:
    now, named = clock.now(), Entity.parse(entity)
    return Finding(
        rule="trial",
        rule_digest="",
        title="A trial",
        severity=Severity.HIGH,
        entity=named,
        entities=(named,),
        bucket=bucket_of(now, Detect().bucket),
        first=now,
        last=now,
    )


def main(url: str, folder: Path, lease: float) -> None:
    """Fork a process for each line of the input."""
    connect(url).dispose()
    book = load(folder / "playbook.yml", Playbook, ACTIONS)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            with suppress(KeyboardInterrupt):
                work(url, folder, lease) if line.strip() == "worker" else submit(url, book)
            os._exit(0)
        print(child, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]))
