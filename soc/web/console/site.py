"""Put the console into the application."""

from pathlib import Path

from fastapi import APIRouter, FastAPI
from starlette.staticfiles import StaticFiles

from soc.web import login
from soc.web.console import (
    attack,
    casework,
    detection,
    effects,
    entity,
    health,
    hunt,
    inbox,
    incident,
    intelligence,
    kpis,
    lists,
    live,
    playbooks,
    problems,
    queue,
    quiet,
    rounds,
    rules,
    runs,
    saved,
    settings,
    sources,
    threats,
    worklist,
)
from soc.web.console.problems import Answer
from soc.web.console.shell import Console
from soc.web.front import Front
from soc.web.late import LateRoute

PARTS = (
    *(queue, incident, casework, entity, inbox, effects, runs, detection),
    *(rounds, kpis, quiet, lists, hunt, rules, attack, sources),
    *(playbooks, threats, intelligence, health, settings),
    *(live, saved, worklist),
)
STATIC = Path(__file__).parent.parent / "static"


def install(app: FastAPI, front: Front, plain: Answer) -> None:
    """Add pages, their files, the gate, and errors as pages; *plain* answers errors elsewhere."""
    console = Console(front)
    routes = APIRouter(route_class=LateRoute, include_in_schema=False)
    for part in PARTS:
        part.add(routes, console)
    app.router.routes.extend([*login.router(console).routes, *routes.routes])
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_middleware(login.OwnPagesOnly, console=console)
    problems.install(app, console, plain)
