"""Remember how far each detector has read, and let exactly one worker move it on."""

from datetime import datetime

from pydantic import Field
from sqlmodel import Session, col, select, update

from soc.errors import WindowTaken
from soc.model.shard import marks_of, text_of
from soc.model.value import Value
from soc.store.locks import put_new
from soc.store.tables import DetectorWindow


class Window(Value):
    """How far a detector has read, and what it remembers of that.

    marks: ``soc.seq`` of the last event read, by shard. state: the detector's own, as JSON.
    """

    detector: str
    marks: dict[int, int] = Field(default_factory=dict)
    state: str = "{}"


def register(session: Session, detectors: list[str]) -> None:
    """Put every detector that is not there yet before the first event."""
    known = set(session.exec(select(DetectorWindow.detector)))
    for name in sorted(set(detectors) - known):
        put_new(session, DetectorWindow(detector=name, state="{}"))


def read(session: Session, detector: str) -> Window:
    """Return the window of a registered detector."""
    row = session.get_one(DetectorWindow, detector)
    return Window(detector=row.detector, marks=marks_of(row.marks), state=row.state)


def move(session: Session, old: Window, new: Window, now: datetime) -> None:
    """Put *new* in the place of *old*; raise WindowTaken if *old* is no longer there."""
    moved = session.exec(
        update(DetectorWindow)
        .where(
            col(DetectorWindow.detector) == old.detector,
            col(DetectorWindow.marks) == text_of(old.marks),
            col(DetectorWindow.state) == old.state,
        )
        .values(marks=text_of(new.marks), state=new.state, moved=now, failure=None)
    )
    if moved.rowcount != 1:
        raise WindowTaken(old.detector)


def fail(session: Session, detector: str, reason: str, now: datetime) -> None:
    """Record that a detector could not judge its window, which stays where it is."""
    row = session.get_one(DetectorWindow, detector)
    row.failure, row.failed = reason[:2_000], now
    session.add(row)
