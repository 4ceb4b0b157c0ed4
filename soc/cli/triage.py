"""Commands about alerts and incidents."""

from functools import partial
from typing import Annotated

import typer

from soc.cli import casework
from soc.cli.base import (
    HOME,
    HomeOption,
    Json,
    Limit,
    group,
    row_of,
    show,
    suite_at,
    table,
    warn,
)

Id = Annotated[str, typer.Argument(help="An incident, such as INC-3.")]


def add(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    alerts = group("Findings with one key.")
    alerts.command("list")(alerts_list)
    alerts.command("show")(alerts_show)
    app.add_typer(alerts, name="alerts")
    incidents = group("Alerts worked together.")
    incidents.command("list")(incidents_list)
    incidents.command("show")(incidents_show)
    incidents.command("assign")(incidents_assign)
    incidents.command("note")(incidents_note)
    incidents.command("close")(incidents_close)
    casework.add(incidents)
    app.add_typer(incidents, name="incidents")
    audit = group("Who did what, on what, why, and how it ended.")
    audit.command("list")(audit_list)
    audit.command("verify")(audit_verify)
    app.add_typer(audit, name="audit")


def alerts_list(home: HomeOption = HOME, limit: Limit = 100, as_json: Json = False) -> None:
    """List alerts, newest first."""
    from sqlmodel import col, select

    from soc.store.session import reading
    from soc.store.tables import Alert
    from soc.web import views

    with reading(suite_at(home).database) as looking:
        found = looking.exec(select(Alert).order_by(col(Alert.id).desc()).limit(limit))
        rows = [views.alert(row) for row in found]
    columns = ("id", "severity", "rule", "entity", "count", "state", "incident")
    show(rows, as_json, table(rows, *columns))


def alerts_show(alert: int, home: HomeOption = HOME, as_json: Json = False) -> None:
    """Show an alert with the copies of its events."""
    from soc.store.session import reading
    from soc.store.tables import Alert
    from soc.web import views

    with reading(suite_at(home).database) as looking:
        found = views.alert_whole(looking, row_of(looking, Alert, "alert", alert))
    lines = [f"{key}: {value}" for key, value in found.items() if key != "events"]
    lines += [f"event {e['seq']} {e['ts']} {e['raw']}" for e in found["events"]]
    show(found, as_json, lines)


def incidents_list(home: HomeOption = HOME, limit: Limit = 100, as_json: Json = False) -> None:
    """List incidents, newest first."""
    from sqlmodel import col, select

    from soc.store.session import reading
    from soc.store.tables import Incident
    from soc.web import views

    with reading(suite_at(home).database) as looking:
        found = looking.exec(select(Incident).order_by(col(Incident.id).desc()).limit(limit))
        rows = [views.incident(row) for row in found]
    show(rows, as_json, table(rows, "id", "severity", "state", "owner", "verdict", "title"))


def incidents_show(incident: Id, home: HomeOption = HOME, as_json: Json = False) -> None:
    """Show an incident with its alerts, runs, effects, approvals and notes."""
    from soc.incidents import lifecycle
    from soc.store.session import reading
    from soc.web import views
    from soc.web.clocks import with_clocks

    suite = suite_at(home)
    with reading(suite.database) as looking:
        whole = views.incident_whole(looking, lifecycle.number_of(incident))
        settings, now = suite.settings.incidents, suite.clock.now()
        (found,) = with_clocks(looking, [whole], settings, now)
        found = views.with_labels(looking, found, now)
    due = found.pop("due")
    lines = [f"{k}: {'-' if v is None else v}" for k, v in found.items() if not isinstance(v, list)]
    lines += [f"{c['clock']}: {c['state']}, due {c['due'] or 'never'}" for c in found["clocks"]]
    found["due"] = due
    lines += [f"entity {name}" for name in found["entities"]]
    for alert in found["alerts"]:
        lines.append(f"alert {alert['id']} {alert['rule']} x{alert['count']}: {alert['joined_by']}")
    lines += [f"run RUN-{run['id']} {run['playbook']}: {run['state']}" for run in found["runs"]]
    lines += [
        f"effect {e['id']} {e['kind']} {e['subject']}: {e['state']}" for e in found["effects"]
    ]
    show(found, as_json, lines)


def incidents_assign(incident: Id, owner: str, home: HomeOption = HOME) -> None:
    """Give an incident to somebody."""
    from soc.incidents import lifecycle

    casework.change(home, incident, partial(lifecycle.assign, owner=owner))
    typer.echo(f"{incident} is {owner}'s")


def incidents_note(incident: Id, text: str, home: HomeOption = HOME) -> None:
    """Write a note on an incident."""
    from soc.incidents import notes

    casework.change(home, incident, partial(notes.annotate, text=text))
    typer.echo("noted")


def incidents_close(
    incident: Id,
    verdict: Annotated[str, typer.Option(help="What it was, such as true_positive.")],
    note: Annotated[str, typer.Option(help="What happened, in one line.")],
    home: HomeOption = HOME,
) -> None:
    """Close an incident with a verdict; a person does this."""
    from soc.incidents import lifecycle

    act = partial(lifecycle.close, verdict=verdict, note=note)
    casework.change(home, incident, act, person=True)
    typer.echo(f"{incident} is closed: {verdict}")


def audit_list(home: HomeOption = HOME, limit: Limit = 100, as_json: Json = False) -> None:
    """List acts, newest first."""
    from soc import audit
    from soc.store.session import reading

    with reading(suite_at(home).database) as looking:
        rows = list(audit.newest(looking, limit))
    show(rows, as_json, table(rows, "leaf", "at", "actor", "action", "object", "outcome", "reason"))


def audit_verify(home: HomeOption = HOME, as_json: Json = False) -> None:
    """Check that no act was changed or taken out; say what is wrong and exit with 1 if so."""
    from soc import audit
    from soc.store.session import session

    suite = suite_at(home)
    with session(suite.database) as writing:
        size, wrong = audit.number(writing), list(audit.problems(writing))
    for problem in wrong:
        warn(problem)
    result = {"ok": not wrong, "size": size, "problems": wrong}
    show(result, as_json, [f"{size} acts, {'CHANGED' if wrong else 'whole'}"])
    if wrong:
        raise typer.Exit(1)
