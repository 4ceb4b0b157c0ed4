"""All rules as a front door knows them: read beside what it serves, and anew when files change."""

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from inspect import getmodule
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any

from soc.app import rulefiles, ruling
from soc.app.coverage import WITHHELD, tested
from soc.app.later import Later, Made
from soc.app.suite import Suite
from soc.clock import monotonic
from soc.content import folders
from soc.detect.detector import Mode
from soc.detect.sigma.navigator import Covered, Standing, covered_by
from soc.detect.sigma.rule import About
from soc.errors import NotFound, Problem
from soc.model.shard import events_of
from soc.store.tables import RuleState

EXAMINED = 20_000
"""The newest events that rules are judged by."""
EXAMINED_FOR = timedelta(minutes=1)
LASTING = timedelta(days=3650)
"""What is read from files is good until they change."""


@dataclass(frozen=True, slots=True)
class Own:
    """A rule that a detector brings: no file says it. title: what the detector is."""

    name: str
    detector: str
    title: str


@dataclass(frozen=True, slots=True)
class Examined:
    """What the newest events showed. events: how many. rules: as ``soc rules health`` says it."""

    events: int
    rules: Mapping[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Book:
    """The rules of one moment, by slug. folders: what those of further folders may do at first.

    silent: rules that are only counted. failed: what is wrong with the others.
    """

    rules: Mapping[str, About]
    own: Mapping[str, Own]
    folders: Mapping[str, Mode]
    silent: frozenset[str]
    failed: tuple[Problem, ...]

    def __contains__(self, slug: str) -> bool:
        """Return whether there is such a rule."""
        return slug in self.rules or slug in self.own


class Rulebook:
    """Reads the rules of *suite* when somebody first asks, and whenever their files changed."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        self._lock = Lock()
        self._looked: float | None = None
        self._seen: Hashable = None
        self._named: tuple[Hashable, dict[str, list[str]]] = (None, {})
        clock = suite.clock
        self._book = Later("the rules", self._read, clock, LASTING)
        self._tested = Later("the samples of rules", self._test, clock, LASTING)
        self._health = Later("stored events", self._examine, clock, EXAMINED_FOR)

    def read(self, patience: float) -> Made[Book]:
        """Return the rules; raises Busy while they are being read for the first time."""
        return self._book.ask(patience, self._state())

    def health(self, patience: float) -> Made[Examined]:
        """Return what the newest events showed of each rule; raises Busy, LogError."""
        return self._health.ask(patience, self._state())

    def standings(self, patience: float) -> Made[Mapping[str, Standing]]:
        """Return how rules come out of their samples; raises Busy."""
        return self._tested.ask(patience, self._state())

    def covered(
        self, patience: float, switched: Mapping[str, RuleState]
    ) -> tuple[list[Covered], Book]:
        """Return the techniques that rules cover, as they stand now, and the rules."""
        book = self.read(patience).answer
        found = self.standings(patience).answer
        standings = {
            slug: WITHHELD.get(mode_of(slug, book, switched)) or found.get(slug, Standing.UNTESTED)
            for slug in book.rules
            if slug not in book.silent
        }
        return covered_by(book.rules.values(), standings), book

    def about(self, slug: str, patience: float) -> About | Own:
        """Return what is known of a rule; raises NotFound."""
        book = self.read(patience).answer
        found = book.rules.get(slug) or book.own.get(slug)
        if found is None:
            raise NotFound("rule", slug)
        return found

    def techniques(self, rules: Collection[str]) -> list[str]:
        """Return the techniques that files of *rules* name, as of a moment ago; waits for none."""
        state = self._state()
        known = self._named[1] if self._named[0] == state else {}
        unknown = [slug for slug in rules if slug not in known]
        known = {**known, **rulefiles.techniques(self._suite, unknown)}
        self._named = state, known
        return sorted({one for slug in rules for one in known[slug]})

    def _state(self) -> Hashable:
        """Return the times of all rule files and imported lists, as of a moment ago."""
        with self._lock:
            if self._looked is None or monotonic() >= self._looked + rulefiles.LOOK_EVERY:
                self._seen = rulefiles.standing(self._suite)
                self._looked = monotonic()
            return self._seen

    def _read(self) -> Book:
        suite = self._suite
        suite.forget_rules()
        ruleset = suite.rules.ruleset
        every: list[About] = [*ruleset.rules, *ruleset.correlations]
        own = {
            slug: Own(slug, name, _title(getmodule(type(detector))))
            for name, detector in suite.models.items()
            for slug in detector.rules
        }
        return Book(
            {about.name: about for about in every}, own, suite.modes, ruleset.silent, ruleset.failed
        )

    def _test(self) -> Mapping[str, Standing]:
        return tested([*self._book.ask(60).answer.rules.values()])

    def _examine(self) -> Examined:
        upto = events_of(self._suite.reader.upto())
        found = ruling.rule_health(self._suite, EXAMINED)
        known = {one["rule"]: one for one in found if one["state"] != "failed"}
        return Examined(min(upto, EXAMINED), known)


def mode_of(slug: str, book: Book, switched: Mapping[str, RuleState]) -> Mode:
    """Return what the findings of a rule may do now."""
    if row := switched.get(slug):
        return Mode(row.mode)
    return book.folders.get(slug, Mode.ACTIVE)


def place_of(suite: Suite, path: Path) -> str:
    """Return where *path* is as people name it: below the home, or as it was packaged."""
    for root in (suite.home.path, folders.packaged("rules").parent):
        if path.is_relative_to(root):
            return str(path.relative_to(root))
    return str(path)


def _title(module: ModuleType | None) -> str:
    """Return what the first line of a detector's module says that it finds."""
    words = (module.__doc__ if module else "") or ""
    return words.strip().partition("\n")[0].rstrip(".")
