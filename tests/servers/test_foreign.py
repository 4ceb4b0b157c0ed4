"""An index that others write to is read whole: each document once, and told where that fails."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from soc.app.foreign.index import Gap, Index
from soc.app.taking import Lines
from soc.clock import SettableClock
from soc.errors import LogError
from soc.ingest.parse import Intake
from soc.ingest.parsers.ecs import Ecs
from soc.inputs import IndexInput
from soc.logs.embedded import EmbeddedLog
from soc.model.event import assign
from soc.settings import Logs
from tests.conftest import NOON
from tests.servers.opensearch import Node

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("opensearch")]
MINUTE = timedelta(minutes=1)
INTAKE = Intake({"ecs": Ecs()})


class Place:
    """A foreign index, the suite that reads it, and the clock of both."""

    def __init__(self, node: Node, folder: Path, clock: SettableClock) -> None:
        self.node, self.folder, self.clock = node, folder, clock
        self.log = EmbeddedLog(folder / "events", Logs(remembered_ids=5), clock)
        self.told: list[Gap] = []
        self.about = IndexInput(urls=(node.url,), index="foreign-*", source="other")
        self.start()

    def start(self) -> None:
        self.index = Index(self.about, self.folder / "indices", self.clock, self.store)

    def restart(self) -> None:
        self.index.close()
        self.start()

    def store(self, lines: Lines) -> None:
        columns = INTAKE.table(lines.text, lines.ids, self.clock.now(), lines.form)
        self.log.append(assign(columns, lines.sources, ["default"] * len(lines.text)))

    def write(self, *names: str, at: datetime, index: str = "foreign-1") -> None:
        """Write documents that the cluster's pipeline says came at *at*."""
        for name in names:
            event = {"id": "the same for all", "ingested": at.isoformat(), "action": name}
            document = {"@timestamp": at.isoformat(), "event": event}
            self.node.ask(f"/{index}/_doc/{name}?refresh=true", document, "PUT")

    def remove(self, *names: str) -> None:
        for name in names:
            self.node.ask(f"/foreign-1/_doc/{name}?refresh=true", method="DELETE")

    def after(self, span: timedelta) -> None:
        """Let time pass, minute by minute, as the front door does."""
        for _ in range(span // MINUTE):
            self.clock.moment += MINUTE
            self.index.pull()
            self.index.sweep(self.told.append)

    @property
    def taken(self) -> list[str]:
        return sorted(self.log.scan(0, 100_000).column("action"))


@pytest.fixture
def place(opensearch: Node, tmp_path: Path) -> Iterator[Place]:
    with suppress(HTTPError):
        opensearch.ask("/foreign-*", method="DELETE")
    properties = {"event": {"properties": {"ingested": {"type": "date"}}}}
    opensearch.ask("/foreign-1", {"mappings": {"properties": properties}}, "PUT")
    made = Place(opensearch, tmp_path, SettableClock(NOON))
    yield made
    made.index.close()
    made.log.close()


def test_what_is_there_and_what_comes_is_taken_once(place: Place) -> None:
    place.write("old", at=NOON - timedelta(days=400))
    place.write("a", "b", at=NOON - 5 * MINUTE)
    place.write("fresh", at=NOON - timedelta(seconds=20))

    assert place.index.pull() == 3
    assert place.index.pull() == 0
    place.after(2 * MINUTE)

    assert place.taken == ["a", "b", "fresh", "old"]
    ids = place.log.scan(0, 10).column("event_id")
    assert set(ids) == {f"foreign-1:{name}" for name in place.taken}


def test_a_late_document_inside_the_overlap_is_taken_once(place: Place) -> None:
    place.write("a", at=NOON - 2 * MINUTE)
    place.index.pull()

    place.write("late", at=NOON - 9 * MINUTE)
    place.after(3 * MINUTE)

    assert place.taken == ["a", "late"]


@pytest.mark.parametrize("age", [timedelta(minutes=55), timedelta(hours=23)], ids=["hour", "day"])
def test_a_later_one_is_found_by_counting_and_nothing_is_doubled(
    place: Place, age: timedelta
) -> None:
    place.after(MINUTE)
    early = [f"n{n}" for n in range(10)]  # more than the store's own window remembers
    place.write(*early, at=place.clock.now())
    place.after(15 * MINUTE)
    written = place.clock.now() - 15 * MINUTE
    for _ in range((age - 15 * MINUTE) // MINUTE):
        place.clock.moment += MINUTE
    place.index.pull()

    place.write("late", at=written)
    place.after(timedelta(hours=1) + 10 * MINUTE)

    assert place.taken == sorted([*early, "late"])
    assert place.told == []


def test_what_is_gone_there_is_told_with_its_minute(place: Place) -> None:
    place.after(MINUTE)
    written = place.clock.now()
    place.write("a", "b", at=written)
    place.write("c", at=written + MINUTE)
    place.after(3 * MINUTE)

    place.remove("a", "b")
    place.after(12 * MINUTE)

    assert place.taken == ["a", "b", "c"]
    (gap,) = place.told
    assert gap.since == written
    assert gap.reason == (
        "foreign-* has 0 events of 2026-11-23 12:01 UTC, 2 were processed: it lost some"
    )


def test_a_restart_loses_nothing_and_doubles_nothing(place: Place) -> None:
    place.write(*(f"a{n}" for n in range(20)), at=NOON - 3 * MINUTE)
    place.index.pull()
    place.index.sweep(place.told.append)
    place.restart()
    place.write("away", at=NOON + MINUTE)
    place.after(13 * MINUTE)
    place.restart()
    place.after(MINUTE)

    assert place.taken == sorted([*(f"a{n}" for n in range(20)), "away"])
    assert place.told == []


def test_a_crash_between_store_and_record_doubles_nothing(place: Place) -> None:
    place.write("a", "b", at=NOON - 3 * MINUTE)
    place.index._seen.add = None  # type: ignore[method-assign,assignment]  # the crash
    with pytest.raises(TypeError):
        place.index.pull()
    place.restart()

    place.after(12 * MINUTE)

    assert place.taken == ["a", "b"]
    assert place.told == []


def test_three_days_away_are_read_and_counted_without_doubles(place: Place) -> None:
    place.after(MINUTE)
    begin = place.clock.now()
    for hour in range(72):
        place.write(f"h{hour:02}", at=begin + timedelta(hours=hour))
    place.clock.moment += timedelta(days=3)
    place.restart()

    place.after(6 * MINUTE)

    assert place.taken == [f"h{hour:02}" for hour in range(72)]
    assert place.told == []


def test_documents_without_a_timestamp_are_counted(place: Place) -> None:
    place.node.ask("/foreign-1/_doc/x?refresh=true", {"message": "when?"}, "PUT")

    assert place.index.undated() == 1
    assert place.index.pull() == 0


def test_a_cluster_that_is_away_moves_nothing(place: Place, tmp_path: Path) -> None:
    away: Any = place.about.model_copy(update={"urls": ("http://127.0.0.1:9",)})
    index = Index(away, tmp_path / "away", place.clock, place.store)

    with pytest.raises(LogError, match="cannot be reached"):
        index.pull()

    assert not (tmp_path / "away" / "cursor.json").exists()
