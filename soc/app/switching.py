"""Switch rules, on the record."""

from datetime import datetime

from soc.app.suite import Suite
from soc.audit import Act, record
from soc.errors import Illegal, NotFound
from soc.model.value import rfc3339
from soc.store import rule_states
from soc.store.session import session
from soc.store.tables import RuleState


def switch(
    suite: Suite, rule: str, mode: str, reason: str, until: datetime | None, actor: str
) -> None:
    """Put *rule*, by slug or UUID, into *mode*.

    Raises NotFound for a rule that is not loaded, Illegal without a reason or for an end that is
    over already.
    """
    if not reason.strip():
        raise Illegal("a reason is needed: it is what the report will say")
    slug = suite.slug_of(rule)
    if slug is None:
        raise NotFound("rule", rule)
    now = suite.clock.now()
    if until is not None and until <= now:
        raise Illegal(f"until: {rfc3339(until)} is over: write a moment to come, or none")
    row = RuleState(rule=slug, mode=mode, reason=reason, until=until, by=actor, at=now)
    with session(suite.database) as writing:
        rule_states.switch(writing, row)
        act = Act(at=now, actor=actor, action=f"rule.{mode}", object=f"rule:{slug}", reason=reason)
        record(writing, act)
