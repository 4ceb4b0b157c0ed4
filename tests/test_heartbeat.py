"""Somebody outside hears that all is well while it is, and nothing at all when it is not."""

import logging
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Thread

import pytest
import uvicorn
from sqlmodel import select

from soc.app import heartbeat
from soc.app.heartbeat import Heartbeat, Jobs
from soc.app.suite import Suite
from soc.clock import SettableClock
from soc.logs.port import OpenLog
from soc.respond.versions import pin
from soc.store import windows
from soc.store.session import session
from soc.store.tables import DetectorWindow, Run
from soc.web import server, sockets
from soc.web.front import Front
from tests.conftest import NOON
from tests.servers.receiver import Receiver, receiving


class Place:
    """A suite with an open front door, and who hears its heartbeat."""

    def __init__(self, home: Path, clock: SettableClock, receiver: Receiver) -> None:
        url = receiver.at("/ping/s3cret-id")
        self.settings = home / "settings.yml"
        self.settings.write_text(
            f"respond: {{heartbeat_url: '{url}'}}\nlogs: {{warn_below: 0, refuse_below: 0}}\n"
        )
        self.receiver, self.suite = receiver, Suite(home, clock)
        self.log: OpenLog = self.suite.log()
        self.door = uvicorn.Server(server.config_of(Front(self.suite, self.log)))
        self.thread = Thread(target=self.door.run, args=([sockets.local(self.suite.home.socket)],))
        self.thread.start()
        while not self.door.started:
            time.sleep(0.01)
        with session(self.suite.database) as writing:
            windows.register(writing, list(self.suite.detectors))
        self.seconds = 0.0
        self.jobs = Jobs(lambda: self.seconds)
        self.heart = Heartbeat(self.suite, self.jobs)

    def close_door(self) -> None:
        self.door.should_exit = True
        self.thread.join()

    @property
    def beats(self) -> int:
        return len(self.receiver.taken)


@pytest.fixture
def place(home: Path, clock: SettableClock) -> Iterator[Place]:
    with receiving() as receiver:
        made = Place(home, clock, receiver)
        yield made
        made.close_door()
        made.log.close()
        made.suite.database.dispose()


def test_all_is_well_and_told(place: Place) -> None:
    assert place.heart.beat() == []
    assert place.heart.beat() == []

    assert place.receiver.paths() == ["/ping/s3cret-id"] * 2


def test_without_a_front_door_nothing_is_told(place: Place) -> None:
    place.close_door()

    assert place.heart.beat() == ["the front door does not answer"]
    assert place.beats == 0


def test_while_events_are_refused_nothing_is_told(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = place.suite.settings.logs.model_copy(update={"refuse_below": 1.0})
    monkeypatch.setattr(
        place.suite, "settings", place.suite.settings.model_copy(update={"logs": full})
    )

    assert place.heart.beat() == ["the front door takes no events"]
    assert place.beats == 0


def test_while_a_detector_fails_nothing_is_told(place: Place) -> None:
    with session(place.suite.database) as writing:
        windows.fail(writing, "sigma", "it raised", NOON)

    assert place.heart.beat() == ["the detector sigma failed"]
    assert place.beats == 0


def test_a_detector_that_has_not_seen_what_came_minutes_ago_stops_it(place: Place) -> None:
    with session(place.suite.database) as writing:
        for row in writing.exec(select(DetectorWindow)):
            row.marks = '{"0":4}' if row.detector == "unmatched" else '{"0":10}'
    place.heart._taken.extend([5] * (heartbeat.REMEMBERED - 1))

    assert place.heart.troubles() == ["the detector unmatched is behind"]


def test_a_run_that_nobody_begins_stops_it(place: Place, clock: SettableClock) -> None:
    with session(place.suite.database) as writing:
        writing.add(
            Run(
                dedup="d",
                kind="playbook",
                playbook="p",
                digest=pin(writing, place.suite.playbooks.usable[0], NOON),
                inputs_json="{}",
                state="queued",
                requested_by="soc",
                created=NOON,
            )
        )

    clock.moment = NOON + timedelta(minutes=5)
    assert place.heart.beat() == []
    clock.moment += timedelta(seconds=1)
    assert place.heart.beat() == ["RUN-1 is not begun"]
    assert place.beats == 1


def test_a_job_that_does_not_end_well_stops_it(place: Place) -> None:
    def fails() -> None:
        raise OSError("it failed")

    good = place.jobs.watched("good", lambda: None)
    bad = place.jobs.watched("bad", fails)

    place.seconds = 301
    good()
    with pytest.raises(OSError, match="it failed"):
        bad()

    assert place.heart.beat() == ["the worker's job bad does not end well"]


def test_who_does_not_hear_it_is_told_of_once_without_the_url(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.receiver.answers["/ping/s3cret-id"] = (500, {}, b"")

    with caplog.at_level(logging.WARNING):
        assert place.heart.beat() == ["it was told and answered 500"]
        assert place.heart.beat() == ["it was told and answered 500"]
        place.receiver.answers.clear()
        place.heart.beat()

    assert caplog.messages == [
        "heartbeat: it was told and answered 500",
        "heartbeat: all is well again",
    ]
    assert "s3cret" not in caplog.text
