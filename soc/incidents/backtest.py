"""What a suppression would have hidden, of the alerts that are stored, with their verdicts."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import orjson
from sqlmodel import Session, col, select

from soc.content.digest import digest_of
from soc.errors import Illegal, Refused
from soc.incidents.alerts import AlertState
from soc.incidents.lifecycle import Verdict
from soc.incidents.scope import Lists, Scope
from soc.model.finding import Match
from soc.model.value import Utc, Value, rfc3339
from soc.store.tables import Alert, Incident

BACK = timedelta(days=90)
FRESH = timedelta(hours=1)
"""How long ago a back-test may have been made that somebody saves by."""
SAMPLE = 10
UNDECIDED = "undecided"


class BackTest(Value):
    """What would have been hidden of the alerts made from *since* to *until*.

    alerts: how many; findings: how many those had when this was asked. incidents: in how many they
    are. true_positives: those of these that people found to have happened. verdicts: alerts by the
    verdict of their incident, ``undecided`` without one. newest: some of the alerts.
    """

    since: Utc
    until: Utc
    alerts: int
    findings: int
    incidents: int
    true_positives: tuple[str, ...]
    verdicts: Mapping[str, int]
    newest: tuple[int, ...]
    seen: str

    @property
    def words(self) -> str:
        """Return it in one sentence."""
        days = (self.until - self.since).days
        told = f"would have hidden {self.alerts:,} alerts in {days} days"
        right = len(self.true_positives)
        named = f": {', '.join(self.true_positives)}" if right else ""
        return f"{told}, {right} true positive{'' if right == 1 else 's'}{named}"


def backtest(session: Session, scope: Scope, lists: Lists, until: datetime) -> BackTest:
    """Return what *scope* would have hidden of the alerts of 90 days, up to *until*.

    What was hidden already is not counted again.
    """
    since = until - BACK
    alerts, findings, newest = 0, 0, []
    verdicts: Counter[str] = Counter()
    incidents: set[int] = set()
    right: set[int] = set()
    for alert, verdict in _stored(session, scope, since, until):
        matched = tuple(Match(**one) for one in orjson.loads(alert.matched_json))
        if not scope.covers(alert.rule, alert.entity, matched, lists):
            continue
        alerts, findings = alerts + 1, findings + alert.count
        verdicts[verdict or UNDECIDED] += 1
        newest.append(alert.id or 0)
        if alert.incident is not None:
            incidents.add(alert.incident)
        if alert.incident is not None and verdict == Verdict.TRUE_POSITIVE:
            right.add(alert.incident)
    named = tuple(f"INC-{number}" for number in sorted(right))
    decided = dict(sorted(verdicts.items()))
    result = {"alerts": alerts, "true_positives": [*named], "verdicts": decided}
    digest = digest_of({"scope": scope.model_dump(), "result": result})
    return BackTest(
        since=since,
        until=until,
        findings=findings,
        incidents=len(incidents),
        newest=tuple(sorted(newest)[-SAMPLE:]),
        seen=f"{rfc3339(until)}/{digest}",
        alerts=alerts,
        true_positives=named,
        verdicts=decided,
    )


def check_seen(session: Session, scope: Scope, lists: Lists, seen: str, now: datetime) -> BackTest:
    """Return the back-test that *seen* names, made again as of its moment.

    Raises Refused where it names none, Illegal where it is old or would say something else now.
    """
    text, mark, _ = seen.partition("/")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if not mark or moment is None or moment.tzinfo is None:
        raise Refused("seen: test it first, and send back what the test says as 'seen'")
    if not now - FRESH <= moment <= now:
        raise Illegal("the back-test is more than an hour old: test it again, and look at it")
    made = backtest(session, scope, lists, moment)
    if made.seen != seen:
        raise Illegal("what it would hide is not what was shown: test it again, and look at it")
    return made


def _stored(
    session: Session, scope: Scope, since: datetime, until: datetime
) -> Iterator[tuple[Alert, str | None]]:
    query = (
        select(Alert, Incident.verdict)
        .join(Incident, col(Incident.id) == col(Alert.incident), isouter=True)
        .where(
            col(Alert.created) > since,
            col(Alert.created) <= until,
            col(Alert.state) != AlertState.SUPPRESSED,
        )
        .order_by(col(Alert.id))
    )
    if scope.rule:
        query = query.where(col(Alert.rule) == scope.rule)
    if scope.entity and scope.list_name is None and not scope.entity.startswith("ip:"):
        query = query.where(col(Alert.entity) == scope.entity)
    yield from session.exec(query.execution_options(yield_per=1_000))
