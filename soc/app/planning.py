"""Say what a playbook would do, and do nothing."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from soc.app.suite import Suite
from soc.errors import NotFound
from soc.respond.backtest import backtest
from soc.respond.plan import outline
from soc.respond.playbook import Playbook
from soc.respond.trigger import offered_to
from soc.store.session import reading


def plan_for(
    suite: Suite, name: str, incident: str | None, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what the playbook *name* would do about *incident* now, with inputs *given*."""
    playbook = found(suite, name)
    with reading(suite.database) as looking:
        offered = offered_to(looking, playbook, incident)
    policy = suite.settings.respond
    return outline(playbook, offered, given, suite.means, policy, suite.clock)


def simulate(suite: Suite, names: Sequence[str], since: timedelta) -> list[dict[str, Any]]:
    """Return what playbooks would have done since then: *names*, else all that answer incidents.

    Raises NotFound.
    """
    answering = [one for one in suite.playbooks.usable if one.on.incident]
    chosen = [found(suite, name) for name in dict.fromkeys(names)] or answering
    policy, begin = suite.settings.respond, suite.clock.now() - since
    return backtest(suite.database, chosen, begin, suite.means, policy, suite.clock)


def found(suite: Suite, name: str) -> Playbook:
    """Return the playbook called *name*; raises NotFound."""
    playbook = suite.playbook(name)
    if playbook is None:
        raise NotFound("playbook", name)
    return playbook
