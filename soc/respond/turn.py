"""One transaction's look at a run: what it may use, and what it found out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Protocol

from sqlmodel import Session

from soc.errors import NotFound
from soc.respond import approvals
from soc.respond.action import Action, Hold, Http
from soc.respond.journal import Entry, Journal
from soc.respond.notifier import Notifier
from soc.respond.playbook import Playbook
from soc.respond.secrets import Secret, unread
from soc.respond.step import Failure, Step
from soc.respond.steps import Steps
from soc.respond.world import Search
from soc.store.session import Transaction
from soc.store.tables import Run

DRY = "dry_run"
AT_ONCE = 8
"""Actions of one run that are under way outside at the same time."""
IN_ONE = 50
"""Local actions that commit together at most: others wait for the store meanwhile."""


class Outcome(Enum):
    """What became of a step. PASSED: the next one. FAILED: it and what holds it. OPEN: not over."""

    PASSED = "passed"
    FAILED = "failed"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Failed:
    """A step that failed, and why."""

    failure: Failure
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """An action to be performed outside any transaction, then recorded at *path*.

    undo: take it back instead. look: first look whether it happened. timeout: seconds. page: of
    the console, about which it is.
    """

    path: str
    key: str
    action: Action
    timeout: float
    undo: bool = False
    look: bool = False
    page: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How an action ended that was performed outside. failure: None if it did not fail."""

    output: object = None
    failure: Failure | None = None
    error: str = ""


class Hands(Protocol):
    """How actions are done: really, as a rehearsal says, or not at all."""

    def is_inline(self, action: Action) -> bool:
        """Return whether *action* is done in the transaction of its step."""

    def perform(self, turn: "Turn", step: Step, path: str, action: Action) -> Mapping[str, object]:
        """Do an inline action; raises ActionFailed, SocError, OSError or ValueError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """All that runs work with.

    playbook, secret: find what has a name. evidence: a folder. console: where people open it.
    """

    actions: Mapping[str, type[Action]]
    notifier: Notifier
    playbook: Callable[[str], Playbook | None]
    hands: Hands
    http: Http | None = None
    search: Search | None = None
    evidence: Path | None = None
    secret: Callable[[str], Secret] = unread
    console: str = ""

    def linked(self, text: str, page: str) -> str:
        """Return *text* with a link to *page* of the console, if it is known where that is."""
        return f"{text}\n\n{self.console}{page}".lstrip() if self.console and page else text


@dataclass(kw_only=True)
class Turn:
    """One transaction on a run. busy: paths whose actions are under way outside.

    origin: the playbook that the run was begun with, or of an undo, that its effects come from.
    """

    transaction: Transaction
    journal: Journal
    origin: Steps | None
    means: Means
    now: datetime
    busy: frozenset[str] = frozenset()
    left: int = IN_ONE
    more: bool = False
    outside: list[Outside] = field(default_factory=list)
    wakes: list[datetime] = field(default_factory=list)
    failed: str = ""

    @property
    def session(self) -> Session:
        """Return the session of the transaction; one that never asks for it costs less."""
        return self.transaction.session

    @property
    def run(self) -> Run:
        """Return the run."""
        return self.journal.run

    @property
    def page(self) -> str:
        """Return the page of the console that shows what this is about."""
        run = self.run
        return f"/incidents/INC-{run.incident}" if run.incident else f"/runs/RUN-{run.id}"

    @property
    def steps(self) -> Steps:
        """Return the steps of the run's playbook."""
        if self.origin is None:
            raise NotFound("playbook", self.run.playbook)
        return self.origin

    @property
    def is_dry(self) -> bool:
        """Return whether nothing is really done."""
        return self.run.mode == DRY

    @cached_property
    def agreed(self) -> list[Hold]:
        """Return everything that people agreed to in this run."""
        return approvals.agreed(self.session, self.run.id or 0)

    def sleep_until(self, moment: datetime) -> Outcome:
        """Say that something is due at *moment*, and not before."""
        self.wakes.append(moment)
        return Outcome.OPEN

    def is_under_way(self, path: str) -> bool:
        """Return whether the action at *path* is performed outside now, or about to be."""
        return path in self.busy or any(one.path == path for one in self.outside)

    def has_room(self) -> bool:
        """Return whether one more action may be under way outside."""
        return len(self.busy) + len(self.outside) < AT_ONCE

    def end(self, entry: Entry, state: str, output: object, error: str = "") -> None:
        """Write how *entry* ended."""
        self.journal.end(entry, state, output, self.now, error)
