"""Let rules that were changed count without a restart: between two windows, so no event is lost."""

import logging

from soc.app import content
from soc.app.suite import Suite
from soc.clock import monotonic
from soc.detect.sigma.asked import fields_of
from soc.detect.sigma.files import RuleFile, find_files
from soc.errors import Problem
from soc.incidents.record import record
from soc.logs.promote import announce
from soc.model.finding import about_suite
from soc.model.value import Entity, EntityKind, Severity, bucket_of
from soc.store import indicators
from soc.store.session import reading, session
from soc.watch.tick import Watch

LOOK_EVERY = 3.0
"""Seconds between two looks at the times of all rule files."""


class Reloading:
    """Watches the rule files and lists of *suite* for *watch*, every so many seconds."""

    def __init__(self, suite: Suite, watch: Watch, every: float = LOOK_EVERY) -> None:
        self._suite, self._watch, self._every = suite, watch, every
        self._seen = self._files(), self._lists()
        self._looked = monotonic()

    def look(self) -> None:
        """Read rules anew if a file or an imported list changed since the last look."""
        if monotonic() < self._looked + self._every:
            return
        self._looked = monotonic()
        seen = self._files(), self._lists()
        if seen == self._seen:
            return
        self._seen = seen
        suite = self._suite
        suite.forget_rules()
        ruleset = suite.rules.ruleset
        self._watch.change(suite.detectors, suite.modes)
        announce(suite.home.events, fields_of(ruleset))
        told = "rules were read anew: %d, of which %d cannot be used"
        logging.getLogger(__name__).warning(told, len(ruleset.rules), len(ruleset.failed))
        if ruleset.failed:
            self._tell(ruleset.failed)

    def _files(self) -> list[RuleFile | Problem]:
        suite = self._suite
        files = content.every_rule_file(suite.settings, suite.home)
        lists = [path for path in [suite.home.content("placeholders.yml")] if path.is_file()]
        return list(find_files([*files, *lists]))

    def _lists(self) -> list[tuple[str, int, int]]:
        with reading(self._suite.database) as looking:
            return indicators.standing(looking, self._suite.clock.now())

    def _tell(self, failed: tuple[Problem, ...]) -> None:
        now = self._suite.clock.now()
        entity = Entity(kind=EntityKind.SOURCE, value="rules")
        said = ("soc-rules-failed", f"{len(failed)} rules cannot be used", entity, Severity.HIGH)
        bucket = bucket_of(now, self._suite.settings.detect.bucket)
        finding = about_suite(*said, bucket, now, *map(str, failed[:10]))
        with session(self._suite.database) as writing:
            record(writing, [finding], {}, now, self._suite.settings.incidents)
