"""Playbooks: what each says and did, what it would do about an incident, and starting it."""

from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Form, Query, Request
from starlette.responses import Response

from soc.access.permissions import Permission, Principal
from soc.app.planning import found, plan_for
from soc.errors import Illegal, NotFound, SocError
from soc.respond.playbook import Playbook
from soc.respond.start import start
from soc.web import playbooks as api
from soc.web.console.problems import sentence
from soc.web.console.shell import Console, Line, go

Plain = dict[str, Any]
FIELD = "input."
LONGEST = 20_000
"""Characters of an input that a form gives."""
Given = Annotated[str, Form(max_length=100_000)]
RISKS = {"read": "looking", "notify": "notifying", "contain": "containing", "destroy": "destroying"}


def add(routes: APIRouter, console: Console) -> None:
    """Add the pages and the form."""
    front, reads = console.front, console.reader()

    @routes.get("/playbooks")
    def every(request: Request, who: Principal = reads) -> Response:
        """Show the playbooks in use, and what is wrong with others."""
        listed = api.listed(front)
        return console.page(
            request, "playbooks.html", who=who, **listed, risks=RISKS, twin="/api/v1/playbooks"
        )

    @routes.get("/playbooks/{name}")
    def one(
        request: Request,
        name: str,
        who: Principal = reads,
        incident: Annotated[str | None, Query(max_length=64)] = None,
    ) -> Response:
        """Show one playbook; with *incident*, even an empty one, also what it would do."""
        if incident is None:
            return _page(console, request, who, name)
        typed = {"incident": incident.strip(), **_typed(request)}
        return _planned(console, request, who, name, typed)

    @routes.post("/playbooks/{name}/run")
    def run(
        request: Request,
        name: str,
        digest: Line,
        who: Principal = reads,
        incident: Line = "",
        inputs: Given = "{}",
        dry: Line = "",
    ) -> Response:
        """Start what was read; nothing starts if the plan is another by now."""
        who.require(Permission.RESPOND)
        who.require_person()
        playbook = found(front.suite, name)
        given = _json(inputs)
        typed = {"incident": incident, **{f"{FIELD}{n}": _plain(v) for n, v in given.items()}}
        try:
            _same(plan_for(front.suite, name, incident or None, given), digest)
            with front.writing() as writing:
                wanted = (playbook, incident or None, given, who, front.suite.clock.now())
                number = start(writing, *wanted, is_dry=bool(dry))
        except (Illegal, NotFound) as wrong:
            return _planned(console, request, who, name, typed, sentence(str(wrong)))
        return go(f"/runs/{number}")


def _planned(
    console: Console,
    request: Request,
    who: Principal,
    name: str,
    typed: Mapping[str, str],
    problem: str = "",
) -> Response:
    """Show what the playbook would do with what was typed, or why it would not."""
    suite = console.front.suite
    given = _inputs(found(suite, name), typed)
    try:
        plan = plan_for(suite, name, typed["incident"] or None, given)
    except SocError as wrong:
        problem = problem or sentence(str(wrong))
        return _page(console, request, who, name, typed, problem)
    shown = {**plan, "inputs": orjson.dumps(given).decode()}
    return _page(console, request, who, name, typed, problem, shown)


def _page(
    console: Console,
    request: Request,
    who: Principal,
    name: str,
    typed: Mapping[str, str] | None = None,
    problem: str = "",
    plan: Plain | None = None,
) -> Response:
    whole = api.whole(console.front, name)
    roles = {f"role:{role}" for role in who.roles} | set(who.roles)
    return console.page(
        request,
        "playbook.html",
        who=who,
        status=422 if problem else 200,
        book=whole,
        typed=typed or {},
        problem=problem,
        plan=plan,
        risks=RISKS,
        may_start=Permission.RESPOND in who.permissions and who.person is not None,
        may_live=bool(roles.intersection(whole["manual"])),
        twin=f"/api/v1/playbooks/{name}",
    )


def _typed(request: Request) -> dict[str, str]:
    """Return the inputs of the form, as they were typed."""
    return {
        key: value[:LONGEST]
        for key, value in request.query_params.items()
        if key.startswith(FIELD) and value.strip()
    }


def _inputs(playbook: Playbook, typed: Mapping[str, str]) -> Plain:
    """Return the inputs that were typed: as JSON where it is any, or one line for each item."""
    found: Plain = {}
    for name, parameter in playbook.inputs.items():
        text = typed.get(f"{FIELD}{name}", "").strip()
        if not text:
            continue
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            value = text
        if parameter.type in {"string", "wallet", "duration"}:
            value = text
        if parameter.type == "list" and not isinstance(value, list):
            value = [line.strip() for line in text.splitlines() if line.strip()]
        found[name] = value
    return found


def _same(plan: Plain, digest: str) -> None:
    if plan["digest"] != digest:
        raise Illegal("the plan is another one by now: read it again")


def _json(text: str) -> Plain:
    try:
        given = orjson.loads(text)
    except orjson.JSONDecodeError as wrong:
        raise Illegal("inputs: read the plan again, and start it from there") from wrong
    if not isinstance(given, dict):
        raise Illegal("inputs: read the plan again, and start it from there")
    return given


def _plain(value: object) -> str:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return "\n".join(value)
    return value if isinstance(value, str) else orjson.dumps(value).decode()
