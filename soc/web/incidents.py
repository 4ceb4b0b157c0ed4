"""The API of incidents: look at one, work it, and keep what belongs to it."""

from base64 import b64encode
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from typing import Annotated
from urllib.parse import quote

import orjson
from fastapi import APIRouter, Header, Query, Request
from fastapi import Path as PathParameter
from fastapi.responses import Response
from pydantic import AwareDatetime, Field
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool

from soc.access.permissions import Permission, Principal
from soc.errors import Outdated
from soc.incidents import files, lifecycle, moves, notes, observables, sharing, tasks
from soc.incidents.tasks import TaskState
from soc.model.value import Severity
from soc.web import case, views
from soc.web.asked import Body, Number, Plain, Reason, bounded_body, needs
from soc.web.clocks import with_clocks
from soc.web.front import Front

Match = Annotated[str | None, Header(alias="If-Match", max_length=200)]
Name = Annotated[str, PathParameter(max_length=64, examples=["INC-1"])]
AlertNumber = Annotated[int, Field(ge=1, le=2**53, examples=[1])]
FileName = Annotated[str, Query(min_length=1, max_length=200)]
Act = Callable[..., object]
"""A change of an incident, waiting for session, number, actor and moment."""
BYTES = {"content": {"application/octet-stream": {"schema": {"type": "string"}}}, "required": True}


class Closing(Body):
    """A verdict, and what happened in one line."""

    verdict: lifecycle.Verdict
    note: Annotated[str, Field(min_length=1)]


class NoteText(Body):
    """A note. replaces: the number of one's own note that this is a new version of."""

    text: Annotated[str, Field(min_length=1)]
    replaces: Annotated[int | None, Field(ge=1, le=2**53)] = None


class Owner(Body):
    """Who works it; nobody named means the one who asks."""

    owner: Annotated[str | None, Field(max_length=200)] = None


class Moving(Body):
    """A state of the life cycle."""

    state: lifecycle.IncidentState


class Rating(Body):
    """How bad it is if it is true."""

    severity: Severity


class Merging(Reason):
    """Into which incident all alerts of this one go."""

    into: Annotated[str, Field(min_length=1, max_length=64)]


class Splitting(Reason):
    """Which alerts become an incident of their own."""

    alerts: Annotated[
        list[Annotated[int, Field(ge=1, le=2**53)]], Field(min_length=1, max_length=1_000)
    ]


class Detaching(Reason):
    """Which alert belongs to no incident."""

    alert: AlertNumber


class Marks(Body):
    """Who may be told, and what may be asked outside."""

    tlp: sharing.Tlp | None = None
    pap: sharing.Pap | None = None


class NewTask(Body):
    """Something to do."""

    title: Annotated[str, Field(min_length=1, max_length=tasks.LONGEST_TITLE)]
    assignee: Annotated[str | None, Field(max_length=200)] = None
    due: AwareDatetime | None = None


class TaskChange(Body):
    """Where a task is."""

    state: TaskState
    assignee: Annotated[str | None, Field(max_length=200)] = None


class Named(Body):
    """Somebody an incident is about, such as ``ip:192.0.2.1`` or a CAIP-10 account."""

    entity: Annotated[str, Field(min_length=1, max_length=600)]
    ignored: bool | None = None


class Octets(Response):
    """Bytes that are whatever they are."""

    media_type = "application/octet-stream"


def add(routes: APIRouter, front: Front) -> None:
    """Add the routes of incidents to *routes*."""
    desk = _Desk(front)
    _work(routes, front, desk)
    _move(routes, front, desk)
    _keep(routes, front, desk)
    _tasks(routes, front, desk)
    _files(routes, front)


def tag_of(body: Plain) -> str:
    """Return the ETag of an incident as it is told."""
    return f'"{sha256(orjson.dumps(body)).hexdigest()[:32]}"'


class _Desk:
    """Changes incidents that are still as the caller saw them."""

    def __init__(self, front: Front) -> None:
        self._front = front

    def show(self, name: str) -> Response:
        """Answer with an incident and its ETag."""
        with self._front.reading() as looking:
            return self._told(looking, views.incident_whole(looking, lifecycle.number_of(name)))

    def change(self, name: str, who: Principal, match: str | None, act: Act) -> Response:
        """Do *act* in a transaction; answer with the incident as it is after it."""
        number, now = lifecycle.number_of(name), self._front.suite.clock.now()
        with self._front.writing() as writing:
            if match is not None:
                lifecycle.alone_with_incidents(writing)
                if tag_of(views.incident_whole(writing, number)) != match.removeprefix("W/"):
                    raise Outdated(f"INC-{number} is not what you saw: read it again")
            act(writing, number, actor=who.name, now=now)
            return self._told(writing, views.incident_whole(writing, number))

    def _told(self, looking: Session, body: Plain) -> Response:
        """Answer with an incident and what time and lists say of it, which changes no ETag."""
        suite = self._front.suite
        now, tag = suite.clock.now(), {"ETag": tag_of(body)}
        (timed,) = with_clocks(looking, [body], suite.settings.incidents, now)
        whole = views.with_labels(looking, timed, now)
        return Response(orjson.dumps(whole), media_type="application/json", headers=tag)


def _work(routes: APIRouter, front: Front, desk: _Desk) -> None:
    reads, triages = needs(front, Permission.READ), needs(front, Permission.TRIAGE)
    closes = needs(front, Permission.TRIAGE, person=True)

    @routes.get("/incidents/{name}", tags=["incidents"], dependencies=[reads])
    def incident(name: Name) -> Response:
        """Return one incident with all that belongs to it; its ETag may go into If-Match."""
        return desk.show(name)

    @routes.post("/incidents/{name}/close", tags=["incidents"])
    def close(name: Name, given: Closing, match: Match = None, who: Principal = closes) -> Response:
        """Close an incident with a verdict, as a person; 409 if it is closed."""
        act = partial(lifecycle.close, verdict=given.verdict, note=given.note)
        return desk.change(name, who, match, act)

    @routes.post("/incidents/{name}/reopen", tags=["incidents"])
    def reopen(name: Name, given: Reason, match: Match = None, who: Principal = closes) -> Response:
        """Take up an incident that came to rest, as a person."""
        act = partial(lifecycle.reopen, reason=given.reason)
        return desk.change(name, who, match, act)

    @routes.post("/incidents/{name}/move", tags=["incidents"])
    def move(name: Name, given: Moving, who: Principal = triages, match: Match = None) -> Response:
        """Put an incident into another open state."""
        act = partial(lifecycle.move, state=given.state)
        return desk.change(name, who, match, act)

    @routes.post("/incidents/{name}/assign", tags=["incidents"])
    def assign(name: Name, given: Owner, who: Principal = triages, match: Match = None) -> Response:
        """Give an incident to somebody."""
        owner = given.owner or who.person or who.name
        act = partial(lifecycle.assign, owner=owner)
        return desk.change(name, who, match, act)

    @routes.post("/incidents/{name}/rate", tags=["incidents"])
    def rate(name: Name, given: Rating, who: Principal = triages, match: Match = None) -> Response:
        """Say how bad an incident is."""
        act = partial(lifecycle.rate, severity=given.severity)
        return desk.change(name, who, match, act)


def _move(routes: APIRouter, front: Front, desk: _Desk) -> None:
    triages = needs(front, Permission.TRIAGE)

    @routes.post("/incidents/{name}/merge", tags=["incidents"])
    def merge(
        name: Name, given: Merging, match: Match = None, who: Principal = triages
    ) -> Response:
        """Put all alerts of an incident into another, which it is part of from then on."""
        into = lifecycle.number_of(given.into)
        act = partial(moves.merge, target=into, reason=given.reason)
        return desk.change(name, who, match, act)

    @routes.post("/incidents/{name}/split", tags=["incidents"])
    def split(
        name: Name, given: Splitting, match: Match = None, who: Principal = triages
    ) -> Response:
        """Make an incident of some alerts of this one."""
        act = partial(moves.split, chosen=given.alerts, reason=given.reason)
        return desk.change(name, who, match, act)

    @routes.post("/incidents/{name}/detach", tags=["incidents"])
    def detach(
        name: Name, given: Detaching, match: Match = None, who: Principal = triages
    ) -> Response:
        """Take an alert out of an incident."""
        act = partial(moves.detach, alert=given.alert, reason=given.reason)
        return desk.change(name, who, match, act)

    @routes.post("/moves/{act}/undo", tags=["incidents"])
    def undo(act: Number, who: Principal = triages) -> Plain:
        """Take a merge, split or detach back; ``moves`` of an incident names its ``act``."""
        with front.writing() as writing:
            number = moves.undo(writing, act, who.name, front.suite.clock.now())
        return {"incident": f"INC-{number}"}


def _keep(routes: APIRouter, front: Front, desk: _Desk) -> None:
    triages = needs(front, Permission.TRIAGE)

    @routes.post("/incidents/{name}/notes", tags=["incidents"])
    def note(
        name: Name, given: NoteText, match: Match = None, who: Principal = triages
    ) -> Response:
        """Write a note on an incident, or a new version of one's own."""
        act = partial(notes.annotate, text=given.text)
        if given.replaces is not None:
            act = partial(notes.replace, note=given.replaces, text=given.text)
        return desk.change(name, who, match, act)

    @routes.post("/incidents/{name}/share", tags=["incidents"])
    def share(name: Name, given: Marks, who: Principal = triages, match: Match = None) -> Response:
        """Say who may be told of an incident, and what may be asked outside about it."""
        act = partial(sharing.mark, tlp=given.tlp, pap=given.pap)
        return desk.change(name, who, match, act)

    @routes.post("/incidents/{name}/entities", tags=["incidents"])
    def entities(
        name: Name, given: Named, match: Match = None, who: Principal = triages
    ) -> Response:
        """Name somebody in an incident, or say whether sharing them means anything."""
        act = partial(observables.name, text=given.entity, ignored=given.ignored)
        return desk.change(name, who, match, act)


def _tasks(routes: APIRouter, front: Front, desk: _Desk) -> None:
    triages = needs(front, Permission.TRIAGE)

    @routes.post("/incidents/{name}/tasks", tags=["incidents"])
    def task(name: Name, given: NewTask, who: Principal = triages, match: Match = None) -> Response:
        """Put a task on an incident."""
        act = partial(tasks.add, title=given.title, assignee=given.assignee, due=given.due)
        return desk.change(name, who, match, act)

    @routes.post("/incidents/{name}/tasks/{task}", tags=["incidents"])
    def change_task(
        name: Name, task: Number, given: TaskChange, match: Match = None, who: Principal = triages
    ) -> Response:
        """Say where a task is."""
        act = partial(tasks.change, task=task, state=given.state, assignee=given.assignee)
        return desk.change(name, who, match, act)


def _files(routes: APIRouter, front: Front) -> None:
    reads, triages = needs(front, Permission.READ), needs(front, Permission.TRIAGE)

    @routes.post(
        "/incidents/{name}/files", tags=["incidents"], openapi_extra={"requestBody": BYTES}
    )
    async def attach(
        request: Request, name: Name, filename: FileName, who: Principal = triages
    ) -> Plain:
        """Keep the body of the request with an incident; it is told by its digest."""
        number = lifecycle.number_of(name)
        body = await bounded_body(request, files.LARGEST)
        media_type = request.headers.get("content-type", "application/octet-stream")

        def keep() -> Plain:
            with front.writing() as writing:
                now = front.suite.clock.now()
                kept = files.attach(writing, number, filename, media_type, body, who.name, now)
                return case.file(kept)

        return await run_in_threadpool(keep)

    @routes.get(
        "/incidents/{name}/files/{file}",
        tags=["incidents"],
        dependencies=[reads],
        response_class=Octets,
    )
    def download(name: Name, file: Number) -> Response:
        """Return a file; a browser saves it and never opens it."""
        with front.reading() as looking:
            row, body = files.read(looking, lifecycle.number_of(name), file)
        headers = {
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(row.name, safe='')}",
            "Repr-Digest": f"sha-256=:{b64encode(bytes.fromhex(row.digest[7:])).decode()}:",
        }
        return Octets(body, headers=headers)
