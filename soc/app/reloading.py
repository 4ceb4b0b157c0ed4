"""Let rules that were changed count without a restart: between two windows, so no event is lost."""

import logging

from soc.app import rulefiles
from soc.app.suite import Suite
from soc.clock import monotonic
from soc.detect.sigma.asked import fields_of
from soc.errors import Problem
from soc.incidents.record import record
from soc.logs.promote import announce
from soc.model.finding import about_suite
from soc.model.value import Entity, EntityKind, Severity, bucket_of
from soc.store.session import session
from soc.watch.tick import Watch


class Reloading:
    """Watches the rule files and lists of *suite* for *watch*, every so many seconds."""

    def __init__(self, suite: Suite, watch: Watch, every: float = rulefiles.LOOK_EVERY) -> None:
        self._suite, self._watch, self._every = suite, watch, every
        self._seen = rulefiles.standing(suite)
        self._looked = monotonic()

    def look(self) -> None:
        """Read rules anew if a file or an imported list changed since the last look."""
        if monotonic() < self._looked + self._every:
            return
        self._looked = monotonic()
        seen = rulefiles.standing(self._suite)
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

    def _tell(self, failed: tuple[Problem, ...]) -> None:
        now = self._suite.clock.now()
        entity = Entity(kind=EntityKind.SOURCE, value="rules")
        said = ("soc-rules-failed", f"{len(failed)} rules cannot be used", entity, Severity.HIGH)
        bucket = bucket_of(now, self._suite.settings.detect.bucket)
        finding = about_suite(*said, bucket, now, *map(str, failed[:10]))
        with session(self._suite.database) as writing:
            record(writing, [finding], {}, now, self._suite.settings.incidents)
