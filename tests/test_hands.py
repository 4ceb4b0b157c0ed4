"""Threads that carry runs: what breaks one ends its worker, for nothing may stop unseen."""

from pathlib import Path
from threading import Event

import pytest

from soc.app.hands import Responding
from soc.app.heartbeat import Jobs
from soc.clock import SettableClock
from soc.respond.action import Action
from soc.respond.hands import LiveHands
from soc.store.session import Database
from tests.respond.stage import Stage, limit, playbook


class Broken(LiveHands):
    """Hands of a site that have a fault."""

    def is_inline(self, action: Action) -> bool:
        raise ZeroDivisionError(action.name)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_breaks_a_thread_ends_the_worker_and_the_run_is_taken_over(
    database: Database, clock: SettableClock, tmp_path: Path
) -> None:
    stage, stop = Stage(database, clock, tmp_path), Event()
    stage.queue(playbook([limit("a")]))
    responding = Responding(stage.engine(hands=Broken()), stop, Jobs())

    responding.start()
    assert stop.wait(10)
    responding.join()

    assert stage.of(1).state == "running"
    stage.overdue()
    stage.work()
    assert (stage.of(1).state, stage.effects()) == ("done", {"EF-1-a": "active"})


def test_what_is_queued_is_begun_at_once(
    database: Database, clock: SettableClock, tmp_path: Path
) -> None:
    stage, stop = Stage(database, clock, tmp_path), Event()
    responding = Responding(stage.engine(), stop, Jobs())
    responding.start()
    try:
        stage.queue(playbook([limit("a")]))
        responding.wake()
        done = Event()
        for _ in range(100):
            if stage.of(1).state == "done":
                break
            done.wait(0.05)
    finally:
        stop.set()
        responding.join()

    assert stage.of(1).state == "done"
