"""Commands about runs, approvals and effects."""

from pathlib import Path
from typing import Annotated

import typer

from soc.cli import enforcement
from soc.cli.base import HOME, HomeOption, Json, group, row_of, show, suite_at, table, who

Reason = Annotated[str, typer.Option(help="Why; it is in the audit log.")]
Path_ = Annotated[str, typer.Argument(metavar="STEP", help="A step, or an item such as limit[3].")]
Digest = Annotated[str | None, typer.Option(help="Of what was shown; by default the present one.")]


def add(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    runs = group("Executions of playbooks.")
    runs.command("list")(runs_list)
    runs.command("show")(runs_show)
    runs.command("cancel")(runs_cancel)
    runs.command("retry-step")(runs_retry_step)
    runs.command("skip-step")(runs_skip_step)
    runs.command("resolve")(runs_resolve)
    app.add_typer(runs, name="runs")
    approvals = group("Questions to people.")
    approvals.command("list")(approvals_list)
    approvals.command("approve")(approvals_approve)
    approvals.command("reject")(approvals_reject)
    app.add_typer(approvals, name="approvals")
    effects = group("What is in force.")
    effects.command("list")(effects_list)
    effects.command("lift")(effects_lift)
    enforcement.add(effects)
    app.add_typer(effects, name="effects")


def runs_list(home: HomeOption = HOME, as_json: Json = False) -> None:
    """List runs, newest first."""
    from sqlmodel import col, select

    from soc.store.session import reading
    from soc.store.tables import Run
    from soc.web import views

    with reading(suite_at(home).database) as looking:
        found = looking.exec(select(Run).order_by(col(Run.id).desc()).limit(1000))
        rows = [views.run(row) for row in found]
    show(rows, as_json, table(rows, "id", "playbook", "kind", "incident", "state", "reason"))


def runs_show(run: int, home: HomeOption = HOME, as_json: Json = False) -> None:
    """Show a run with its journal."""
    from soc.store.session import reading
    from soc.store.tables import Run
    from soc.web import views

    with reading(suite_at(home).database) as looking:
        found = views.run_whole(looking, row_of(looking, Run, "run", run))
    steps = table(found["steps"], "path", "use", "state", "attempt", "error")
    show(found, as_json, [f"RUN-{run} {found['playbook']}: {found['state']}", *steps])


def runs_cancel(
    run: int,
    reason: Reason,
    undo: Annotated[bool, typer.Option("--undo", help="Take back what it put in force.")] = False,
    home: HomeOption = HOME,
) -> None:
    """End a run that is not over, and the runs that it started; a person does this."""
    from soc.app.mending import cancel_all

    suite = suite_at(home)
    for number in cancel_all(suite, run, who(suite, person=True), reason, undo=undo):
        typer.echo(f"RUN-{number} is cancelled")


def runs_retry_step(run: int, path: Path_, reason: Reason, home: HomeOption = HOME) -> None:
    """Do a step, or an item such as limit[3], again and go on from there."""
    _settle(home, run, path, reason, "retry")


def runs_skip_step(run: int, path: Path_, reason: Reason, home: HomeOption = HOME) -> None:
    """Leave a step that failed undone, and go on after it."""
    _settle(home, run, path, reason, "skip")


def runs_resolve(
    run: int,
    path: Path_,
    reason: Reason,
    happened: Annotated[
        bool, typer.Option("--happened/--did-not", help="Whether it happened.", show_default=False)
    ],
    home: HomeOption = HOME,
) -> None:
    """Say whether a step happened of which nobody knows: it is done again only if it did not."""
    _settle(home, run, path, reason, "happened" if happened else "did_not_happen")


def approvals_list(
    home: HomeOption = HOME,
    state: Annotated[
        str, typer.Option(help="pending, approved, rejected, expired or all.")
    ] = "pending",
    as_json: Json = False,
) -> None:
    """List questions to people."""
    from sqlmodel import col, select

    from soc.store.session import reading
    from soc.store.tables import Approval
    from soc.web import views

    query = select(Approval).order_by(col(Approval.id).desc())
    with reading(suite_at(home).database) as looking:
        found = looking.exec(query if state == "all" else query.where(col(Approval.state) == state))
        rows = [views.approval(looking, row) for row in found]
    show(rows, as_json, table(rows, "id", "state", "incident", "ask", "expires_at", "digest"))


def approvals_approve(
    approval: int, home: HomeOption = HOME, digest: Digest = None, reason: Reason = ""
) -> None:
    """Agree to exactly what an approval shows; a person with a vote does this."""
    _decide(approval, home, digest, reason, approve=True)


def approvals_reject(
    approval: int, reason: Reason, home: HomeOption = HOME, digest: Digest = None
) -> None:
    """Refuse what an approval shows."""
    _decide(approval, home, digest, reason, approve=False)


def effects_list(home: HomeOption = HOME, as_json: Json = False) -> None:
    """List what is, was or may come in force."""
    from soc.respond import ledger
    from soc.store.session import reading
    from soc.web import views

    with reading(suite_at(home).database) as looking:
        rows = [views.effect(row) for row in ledger.effects(looking)]
    told = [{**row, "approved_by": ", ".join(row["approved_by"]) or None} for row in rows]
    columns = ("id", "state", "kind", "subject", "until", "incident", "approved_by", "verified")
    show(rows, as_json, table(told, *columns))


def effects_lift(effect: str, reason: Reason, home: HomeOption = HOME) -> None:
    """Queue the undo of an active effect; a person does this."""
    from soc.access.permissions import Permission
    from soc.respond import ledger
    from soc.store.session import session

    suite = suite_at(home)
    actor = who(suite, person=True)
    actor.require(Permission.RESPOND)
    with session(suite.database) as writing:
        ledger.ask_lift(writing, effect, actor.name, reason, suite.clock.now())
    typer.echo(f"{effect} will be lifted by the next worker")


def _settle(home: Path, run: int, path: str, reason: str, verb: str) -> None:
    from soc.respond.mending import settle
    from soc.store.session import session

    suite = suite_at(home)
    actor = who(suite, person=True)
    with session(suite.database) as writing:
        settle(writing, run, path, actor, reason, suite.clock.now(), verb=verb)
    typer.echo(f"RUN-{run} goes on")


def _decide(number: int, home: object, digest: str | None, reason: str, *, approve: bool) -> None:
    from soc.respond import approvals
    from soc.store.session import session
    from soc.store.tables import Approval

    suite = suite_at(Path(str(home)))
    actor = who(suite, person=True)
    with session(suite.database) as writing:
        asked = row_of(writing, Approval, "approval", number)
        shown = digest or asked.digest
        decided = approvals.decide(
            writing,
            number,
            actor,
            approve=approve,
            digest=shown,
            reason=reason,
            now=suite.clock.now(),
        )
        typer.echo(f"approval {number} is {decided.state}")
