"""Workers tell who owns a suppression what to know of it: as a finding that opens an incident."""

from datetime import timedelta

from sqlmodel import Session, select

from soc.app.reviewing import Reviewing
from soc.app.suite import Suite
from soc.clock import SettableClock
from soc.incidents import suppressions
from soc.incidents.scope import Scope
from soc.incidents.suppressions import Mode, Wanted
from soc.store.session import session
from soc.store.tables import Alert, Incident


def test_the_owner_of_an_idle_suppression_gets_an_incident_once(
    suite: Suite, clock: SettableClock
) -> None:
    now = clock.now()
    with session(suite.database) as writing:
        seen = suppressions.test(writing, Scope(rule="silent"), now).seen
        wanted = Wanted(
            rule="silent", owner="user:ines", reason="a known scanner", mode=Mode.ACTIVE,
            until=now + timedelta(days=90), seen=seen,
        )  # fmt: skip
        suppressions.add(writing, wanted, "user:ines", now)
    reviewing = Reviewing(suite)
    told = [reviewing.look()]
    clock.moment += timedelta(days=31)
    told += [reviewing.look(), reviewing.look()]

    assert told == [[], ["soc-suppression-idle"], []]
    with Session(suite.database) as looking:
        alert, incident = looking.exec(select(Alert)).one(), looking.exec(select(Incident)).one()
    assert alert.title == "SUP-1 hid nothing for 30 days: ines looks at it again"
    assert "rule silent: a known scanner" in alert.reasons_json
    assert (incident.operations, incident.severity) == (True, "medium")
