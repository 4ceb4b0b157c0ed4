"""Forms of the incident page that work the case: move alerts, do tasks, keep files."""

from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, File, Form, Request, UploadFile
from sqlmodel import Session
from starlette.responses import Response

from soc.access.permissions import Permission, Principal
from soc.incidents import files, lifecycle, moves, notes, observables, sharing, tasks
from soc.incidents.tasks import TaskState
from soc.web.console.incident import Desk, Filled
from soc.web.console.problems import sentence
from soc.web.console.shell import Console, Line, Text, go, number_of

Chosen = Annotated[list[int], Form(max_length=1_000)]


def add(routes: APIRouter, console: Console) -> None:
    """Add the forms."""
    desk = Desk(console)
    _life(routes, console, desk)
    _moves(routes, console, desk)
    _kept(routes, console, desk)
    _marks(routes, console, desk)


def _life(routes: APIRouter, console: Console, desk: Desk) -> None:
    reads = console.reader()

    @routes.post("/incidents/{name}/reopen")
    def reopen(request: Request, name: str, who: Principal = reads, reason: Line = "") -> Response:
        """Take it up again."""
        who.require_person()
        form = Filled("close", 422, (), {"reason": reason})
        act = partial(lifecycle.reopen, reason=reason)
        return desk.change(request, who, number_of("incident", name), form, act)

    @routes.post("/incidents/{name}/escalate")
    def escalate(request: Request, name: str, who: Principal = reads) -> Response:
        """Make it one step worse: who answers that severity is told."""
        form = Filled("work", 422, (), {})
        return desk.change(request, who, number_of("incident", name), form, lifecycle.escalate)


def _moves(routes: APIRouter, console: Console, desk: Desk) -> None:
    front, reads = console.front, console.reader()

    @routes.post("/incidents/{name}/merge")
    def merge(
        request: Request, name: str, who: Principal = reads, into: Line = "", reason: Line = ""
    ) -> Response:
        """Put all its alerts into another incident."""
        form = Filled("work", 422, (), {"into": into, "reason": reason})
        target = number_of("incident", into.strip())
        act = partial(moves.merge, target=target, reason=reason)
        return desk.change(request, who, number_of("incident", name), form, act)

    @routes.post("/incidents/{name}/split")
    def split(
        request: Request,
        name: str,
        alert: Chosen,
        who: Principal = reads,
        reason: Line = "",
    ) -> Response:
        """Make an incident of some of its alerts."""
        form = Filled("why", 422, (), {"reason": reason})
        act = partial(moves.split, chosen=alert, reason=reason)
        return desk.change(request, who, number_of("incident", name), form, act)

    @routes.post("/incidents/{name}/detach")
    def detach(
        request: Request,
        name: str,
        alert: Chosen,
        who: Principal = reads,
        reason: Line = "",
    ) -> Response:
        """Take some of its alerts out."""

        def act(session: Session, number: int, actor: str, now: datetime) -> None:
            for one in alert:
                moves.detach(session, number, one, reason, actor, now)

        form = Filled("why", 422, (), {"reason": reason})
        return desk.change(request, who, number_of("incident", name), form, act)

    @routes.post("/moves/{number}/undo")
    def undo(request: Request, number: int, who: Principal = reads) -> Response:
        """Take a merge, split or detach back."""
        who.require(Permission.TRIAGE)
        _ = request
        with front.writing() as writing:
            source = moves.undo(writing, number, who.name, front.suite.clock.now())
        return go(f"/incidents/INC-{source}#why")


def _kept(routes: APIRouter, console: Console, desk: Desk) -> None:
    reads = console.reader()

    @routes.post("/incidents/{name}/tasks")
    def task(
        request: Request, name: str, who: Principal = reads, title: Line = "", assignee: Line = ""
    ) -> Response:
        """Put a task on it."""
        form = Filled("tasks", 422, (), {"title": title, "assignee": assignee})
        act = partial(tasks.add, title=title, assignee=assignee.strip() or None, due=None)
        return desk.change(request, who, number_of("incident", name), form, act)

    @routes.post("/incidents/{name}/tasks/{task}")
    def change_task(
        request: Request,
        name: str,
        task: int,
        state: Annotated[TaskState, Form()],
        who: Principal = reads,
    ) -> Response:
        """Say where a task is."""
        form = Filled("tasks", 422, (), {})
        act = partial(tasks.change, task=task, state=state, assignee=None)
        return desk.change(request, who, number_of("incident", name), form, act)

    @routes.post("/incidents/{name}/files")
    def attach(
        request: Request, name: str, file: Annotated[UploadFile, File()], who: Principal = reads
    ) -> Response:
        """Keep a file with it."""
        body = file.file.read(files.LARGEST + 1)
        kind = file.content_type or "application/octet-stream"
        act = partial(files.attach, name=file.filename or "", media_type=kind, body=body)
        form = Filled("files", 422, (), {})
        return desk.change(request, who, number_of("incident", name), form, act)

    @routes.post("/incidents/{name}/notes/{note}")
    def replace(
        request: Request, name: str, note: int, who: Principal = reads, text: Text = ""
    ) -> Response:
        """Write a new version of one's own note."""
        missing = () if text.strip() else (sentence("Note: write a line"),)
        form = Filled("note", 422, missing, {"text": text})
        act = partial(notes.replace, note=note, text=text)
        return desk.change(request, who, number_of("incident", name), form, act)


def _marks(routes: APIRouter, console: Console, desk: Desk) -> None:
    reads = console.reader()

    @routes.post("/incidents/{name}/share")
    def share(
        request: Request,
        name: str,
        tlp: Annotated[sharing.Tlp, Form()],
        pap: Annotated[sharing.Pap, Form()],
        who: Principal = reads,
    ) -> Response:
        """Say who may be told, and what may be asked outside."""
        act = partial(sharing.mark, tlp=tlp, pap=pap)
        form = Filled("work", 422, (), {})
        return desk.change(request, who, number_of("incident", name), form, act)

    @routes.post("/incidents/{name}/entities")
    def name_(
        request: Request,
        name: str,
        who: Principal = reads,
        entity: Line = "",
        ignored: Annotated[bool | None, Form()] = None,
    ) -> Response:
        """Name somebody in it, or say that sharing them means nothing."""
        form = Filled("entities", 422, (), {"entity": entity})
        act = partial(observables.name, text=entity, ignored=ignored)
        return desk.change(request, who, number_of("incident", name), form, act)
