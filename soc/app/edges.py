"""Findings about edges: what is in force and not obeyed, told once for each edge and hour."""

from datetime import datetime

from soc.app.suite import Suite
from soc.content.document import did_you_mean
from soc.incidents.record import record
from soc.model.finding import Finding, about_suite
from soc.model.value import Entity, EntityKind, Severity, bucket_of
from soc.respond import reconcile
from soc.respond.reconcile import Trouble
from soc.store.session import reading, session


class Edges:
    """Compares what should be in force with what edges obey."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        self._told: dict[tuple[str, str], datetime] = {}

    def look(self) -> list[str]:
        """Make a finding of every trouble that was not told in this hour; return their rules."""
        suite, now = self._suite, self._suite.clock.now()
        hour = bucket_of(now, suite.settings.detect.bucket)
        with session(suite.database) as writing:
            reconcile.forget(writing, suite.settings.edges, now)
            reconcile.verify(writing, suite.settings.edges, now)
            found = reconcile.standing(writing, suite.settings.edges, now, with_effects=False)
            troubles = found.troubles
            new = [one for one in troubles if self._told.get((one.about, one.rule)) != hour]
            findings = [finding_of(one, hour, now) for one in new]
            if findings:
                record(writing, findings, {}, now, suite.settings.incidents)
        self._told |= {(one.about, one.rule): hour for one in new}
        return [one.rule for one in new]


def finding_of(trouble: Trouble, hour: datetime, now: datetime) -> Finding:
    """Return what people must know: somebody who is held back may not be."""
    entity = Entity(kind=EntityKind.SOURCE, value=trouble.about)
    said = (trouble.rule, trouble.title, entity, Severity.HIGH)
    return about_suite(*said, hour, now, trouble.reason)


def problems(suite: Suite) -> list[str]:
    """Return what is wrong with the budgets of the settings: one must name what there is."""
    known = {*suite.actions, *(playbook.name for playbook in suite.playbooks.usable)}
    return [
        f"{suite.home.settings}: respond.budgets: no action or playbook {name!r}: "
        f"{did_you_mean(name, known)}"
        for name in sorted(suite.settings.respond.budgets)
        if name not in known
    ]


def words(suite: Suite) -> str:
    """Return in a line whether edges obey what is in force, and how old their news are."""
    with reading(suite.database) as looking:
        now = suite.clock.now()
        found = reconcile.standing(looking, suite.settings.edges, now, with_effects=False)
    if not found.edges:
        return "none reports"
    live = sum(edge.is_live for edge in found.edges)
    oldest = max(edge.age for edge in found.edges).total_seconds()
    wrong = sorted({trouble.rule for trouble in found.troubles})
    told = f", but {', '.join(wrong)}" if wrong else ""
    return f"{live} of {len(found.edges)} live, the oldest report {oldest:.0f} s ago{told}"
