"""What everyone may ask: rounds, projects, a session, own donations, and the chain."""

from dataclasses import asdict
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from soc.demo.platform.arrange import arranged
from soc.demo.platform.front import caller_of
from soc.demo.platform.machine import now, token
from soc.demo.platform.site import Site
from soc.demo.platform.store import Donation, Project, Session
from soc.demo.platform.variants import DEFAULT

T = TypeVar("T")

Address = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{40}$")]
TxHash = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{64}$")]
Amount = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,29}$")]
Name = Annotated[str, Field(min_length=1, max_length=64)]


class Input(BaseModel):
    """What may come in: nothing but the named keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Opening(Input):
    """A wallet that wants a session. A platform of the real world asks for its signature here."""

    wallet: Address


class TransferInput(Input):
    """Money for another wallet."""

    to: Address
    amount: Amount


class GiftInput(Input):
    """Money for a project."""

    round: Name
    project: Name
    amount: Amount


class DonationInput(GiftInput):
    """A gift that its giver says is on chain."""

    tx_hash: TxHash


def wallet_of(request: Request) -> str:
    """Return the wallet of the session, or refuse."""
    wallet = caller_of(request.scope).wallet
    if wallet is None:
        raise HTTPException(401, "open a session first: POST /session")
    return wallet


Wallet = Annotated[str, Depends(wallet_of)]


def pages(site: Site) -> APIRouter:
    """Return what can be read, and how to open a session."""
    router = APIRouter()

    @router.get("/health")
    async def health() -> dict[str, Any]:
        age = site.edge.age
        return {
            "edge": {
                "version": site.edge.version,
                "age_seconds": age.total_seconds() if age is not None else None,
                "error": site.edge.error,
            },
            "outbox": {"waiting": len(site.outbox), "refused": site.outbox.refused},
        }

    @router.get("/rounds")
    async def rounds() -> list[dict[str, Any]]:
        return [asdict(each) for each in site.store.rounds()]

    @router.get("/rounds/{identity}")
    async def round_(identity: str) -> dict[str, Any]:
        return asdict(_found(site.store.round(identity)))

    @router.get("/projects")
    async def projects(request: Request) -> list[dict[str, Any]]:
        wallet = caller_of(request.scope).wallet
        found = await run_in_threadpool(_seen_by, site, wallet) if wallet else None
        return [asdict(each) for each in found or site.store.projects()]

    @router.get("/projects/{identity}")
    async def project(identity: str) -> dict[str, Any]:
        return asdict(_found(site.store.project(identity)))

    @router.post("/session", status_code=201)
    async def open_session(opening: Opening) -> dict[str, Any]:
        shown, wallet = token(), opening.wallet.lower()
        until = now().timestamp() + site.session_seconds
        site.sessions.add(shown, Session(wallet=wallet, account=None, until=until))
        return {"token": shown, "wallet": wallet}

    return router


def _seen_by(site: Site, wallet: str) -> list[Project]:
    """Return the projects in the order in which *wallet* sees them."""
    arm, projects = site.variants.of(wallet), site.store.projects()
    if arm == DEFAULT:
        return projects
    return arranged(projects, arm, site.store.donations(), wallet)


def acts(site: Site) -> APIRouter:
    """Return what a wallet can do once it has a session."""
    router = APIRouter()

    @router.get("/donations")
    async def own(wallet: Wallet) -> list[dict[str, Any]]:
        return [asdict(each) for each in site.store.donations_of(wallet)]

    @router.post("/donations", status_code=201)
    async def announce(gift: DonationInput, wallet: Wallet, request: Request) -> dict[str, Any]:
        _check(site, gift)
        donation = Donation(
            tx_hash=gift.tx_hash.lower(),
            wallet=wallet,
            round=gift.round,
            project=gift.project,
            amount=gift.amount,
        )
        if not site.store.announce(donation):
            raise HTTPException(409, "this transaction is already announced")
        site.recorder.announced(donation, caller_of(request.scope).ip)
        return asdict(donation)

    @router.post("/chain/transfer", status_code=202)
    async def transfer(money: TransferInput, wallet: Wallet) -> dict[str, Any]:
        return {"tx_hash": site.chain.transfer(wallet, money.to.lower(), money.amount)}

    @router.post("/chain/donate", status_code=202)
    async def donate(gift: GiftInput, wallet: Wallet) -> dict[str, Any]:
        _check(site, gift)
        return {"tx_hash": site.chain.donate(wallet, gift.round, gift.project, gift.amount)}

    return router


def _found(thing: T | None) -> T:
    if thing is None:
        raise HTTPException(404, "there is no such thing")
    return thing


def _check(site: Site, gift: GiftInput) -> None:
    """Refuse a gift that has no open round or no project in it."""
    this, project = site.store.round(gift.round), site.store.project(gift.project)
    if this is None or project is None or project.round != this.id:
        raise HTTPException(422, "there is no such project in this round")
    if this.phase != "open":
        raise HTTPException(409, "the round is closed")
