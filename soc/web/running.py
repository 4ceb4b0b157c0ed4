"""The API of runs: start them, look at them, and settle what only a person can."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field

from soc.access.permissions import Permission, Principal
from soc.app.mending import cancel_all
from soc.app.planning import found, plan_for
from soc.errors import NotFound
from soc.respond import mending
from soc.respond.start import start
from soc.store.tables import Run
from soc.web import views
from soc.web.asked import Body, Number, Plain, Reason, needs
from soc.web.front import Front


class Cancel(Reason):
    """The end of a run, and whether what it put in force is taken back."""

    undo: bool = False


class Mend(Reason):
    """What to do about a step that failed, or of which nobody knows whether it happened."""

    verb: Literal["retry", "skip", "happened", "did_not_happen"]
    step: Annotated[str, Field(min_length=1, max_length=200)]


class Start(Body):
    """A run that a person asks for."""

    incident: Annotated[str | None, Field(max_length=64)] = None
    inputs: Mapping[str, Any] = {}
    dry_run: bool = False


def add(routes: APIRouter, front: Front) -> None:
    """Add the routes of runs to *routes*."""
    reads = needs(front, Permission.READ)
    responds = needs(front, Permission.RESPOND, person=True)
    suite, clock = front.suite, front.suite.clock

    @routes.get("/runs/{number}", tags=["runs"], dependencies=[reads])
    def run(number: Number) -> Plain:
        """Return one run with its journal."""
        return _whole(front, number)

    @routes.post("/runs/{number}/cancel", tags=["runs"])
    def cancel(number: Number, given: Cancel, who: Principal = responds) -> Plain:
        """End a run that is not over, and the runs that it started; 409 if it is over."""
        cancelled = cancel_all(suite, number, who, given.reason, undo=given.undo)
        return {"cancelled": cancelled}

    @routes.post("/runs/{number}/mend", tags=["runs"])
    def mend(number: Number, given: Mend, who: Principal = responds) -> Plain:
        """Settle a step of a run that failed or waits for a person; the run goes on."""
        with front.writing() as writing:
            where = (writing, number, given.step, who, given.reason, clock.now())
            mending.settle(*where, verb=given.verb)
        return _whole(front, number)

    @routes.post("/playbooks/{name}/plan", tags=["playbooks"], dependencies=[reads])
    def plan(name: str, given: Start) -> Plain:
        """Return what a playbook would do; nothing is done."""
        return plan_for(suite, name, given.incident, given.inputs)

    @routes.post("/playbooks/{name}/run", tags=["playbooks"], status_code=202)
    def run_it(name: str, given: Start, who: Principal = responds) -> Plain:
        """Queue a run, as a person of a role that may start the playbook by hand."""
        with front.writing() as writing:
            wanted = (found(suite, name), given.incident, given.inputs)
            number = start(writing, *wanted, who, clock.now(), is_dry=given.dry_run)
        return {"run": number}


def _whole(front: Front, number: int) -> Plain:
    with front.reading() as looking:
        row = looking.get(Run, number)
        if row is None:
            raise NotFound("run", str(number))
        return views.run_whole(looking, row)
