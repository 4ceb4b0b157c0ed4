"""What the platform's staff and its operator do: log in, run rounds, slow the indexer down."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from pydantic import AwareDatetime, Field

from soc.demo.platform.front import caller_of
from soc.demo.platform.machine import now, rfc3339, token
from soc.demo.platform.pages import Address, Amount, Input, Name
from soc.demo.platform.site import Site
from soc.demo.platform.store import Project, Round, Session

MAX_DELAY = 3600
Password = Annotated[str, Field(min_length=1, max_length=128)]


class LoginInput(Input):
    """Who wants in, and what shows that it is them."""

    name: Name
    password: Password


class AccountInput(LoginInput):
    """One of the staff, with the roles it gets."""

    roles: tuple[Name, ...]


class RoundInput(Input):
    """A round to open."""

    id: Name
    name: Name
    pool: Amount
    start: AwareDatetime
    end: AwareDatetime


class ProjectInput(Input):
    """A project to register."""

    id: Name
    round: Name
    name: Name
    owner: Address


class DelayInput(Input):
    """How old a block must be before the indexer reads it."""

    delay_seconds: Annotated[float, Field(ge=0, le=MAX_DELAY)]


def operator_only(request: Request) -> None:
    """Refuse everyone but the operator."""
    if not caller_of(request.scope).operator:
        raise HTTPException(401, "this needs the operator's key")


def login(site: Site) -> APIRouter:
    """Return the door for the staff."""
    router = APIRouter()

    @router.post("/admin/login")
    def log_in(who: LoginInput, request: Request) -> dict[str, Any]:
        # No coroutine: hashing a password takes long enough to hold up everybody else.
        ip = caller_of(request.scope).ip
        success, roles = site.store.check(who.name, who.password)
        site.recorder.login(name=who.name, roles=roles, ip=ip, success=success)
        if not success:
            raise HTTPException(401, "name or password is wrong")
        shown, until = token(), now().timestamp() + site.session_seconds
        site.sessions.add(shown, Session(wallet=None, account=who.name, until=until))
        return {"token": shown, "account": who.name, "roles": roles}

    return router


def operation(site: Site) -> APIRouter:
    """Return what only the operator may do."""
    router = APIRouter(prefix="/admin", dependencies=[Depends(operator_only)])

    @router.post("/accounts", status_code=201)
    def add_account(account: AccountInput) -> dict[str, Any]:
        salt = token().encode()
        site.store.add_account(account.name, account.password, account.roles, salt)
        return {"name": account.name}

    @router.post("/rounds", status_code=201)
    async def open_round(given: RoundInput) -> dict[str, Any]:
        this = Round(
            id=given.id,
            name=given.name,
            pool=given.pool,
            start=rfc3339(given.start),
            end=rfc3339(given.end),
        )
        site.store.add_round(this)
        site.recorder.round(this, "round-opened")
        return {"id": this.id}

    @router.post("/rounds/{identity}/close")
    async def close_round(identity: str) -> dict[str, Any]:
        this = site.store.close_round(identity)
        if this is None:
            raise HTTPException(404, "there is no such round")
        site.recorder.round(this, "round-closed")
        return {"id": this.id, "phase": this.phase}

    @router.post("/projects", status_code=201)
    async def add_project(given: ProjectInput) -> dict[str, Any]:
        if site.store.round(given.round) is None:
            raise HTTPException(422, "there is no such round")
        project = Project(
            id=given.id, round=given.round, name=given.name, owner=given.owner.lower()
        )
        site.store.add_project(project)
        site.recorder.project(project)
        return {"id": project.id}

    @router.post("/indexer")
    async def slow_down(delay: DelayInput) -> dict[str, Any]:
        site.indexer.delay = timedelta(seconds=delay.delay_seconds)
        return {"delay_seconds": delay.delay_seconds}

    return router
