"""Saved views: a filter of a page under a name, for the person who saved it."""

from typing import Annotated, Any

from fastapi import APIRouter, Response
from fastapi import Path as PathParameter
from pydantic import Field
from sqlmodel import Session, col, select

from soc.access.permissions import Permission, Principal
from soc.audit import Act, record
from soc.clock import Clock
from soc.errors import Illegal, NotFound, Refused
from soc.model.value import rfc3339
from soc.store.locks import alone
from soc.store.tables import SavedView
from soc.web.asked import Body, Plain, needs
from soc.web.front import Front

FILTERED = ("/queue", "/alerts", "/hunt")
"""Pages whose address holds a filter."""
MOST = 50
LONGEST_NAME, LONGEST_TARGET = 60, 4_000
Name = Annotated[str, PathParameter(min_length=1, max_length=LONGEST_NAME)]


class View(Body):
    """What a view is called, and the path and query it leads to."""

    name: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME, examples=["Mine, high"])]
    target: Annotated[
        str, Field(min_length=1, max_length=LONGEST_TARGET, examples=["/queue?mine=1"])
    ]


def add(routes: APIRouter, front: Front) -> None:
    """Add the routes of one's own views to *routes*."""
    reads = needs(front, Permission.READ, person=True)
    clock = front.suite.clock

    @routes.get("/views", tags=["views"])
    def views(who: Principal = reads) -> Plain:
        """Return one's own saved views by name."""
        with front.reading() as looking:
            return {"items": [view(row) for row in of(looking, who)]}

    @routes.post("/views", tags=["views"], status_code=201)
    def keep(given: View, who: Principal = reads) -> Plain:
        """Save a view; one's own of that name leads there from now on."""
        with front.writing() as writing:
            return view(save(writing, who, given.name, given.target, clock))

    @routes.delete("/views/{name}", tags=["views"], status_code=204, response_class=Response)
    def forget(name: Name, who: Principal = reads) -> None:
        """Delete one of one's own views."""
        with front.writing() as writing:
            drop(writing, who, name, clock)


def of(looking: Session, who: Principal, page: str = "") -> list[SavedView]:
    """Return the views of *who* by name: all, or those of one *page*; a machine has none."""
    if who.person is None:
        return []
    query = select(SavedView).where(col(SavedView.owner) == who.person)
    rows = looking.exec(query.order_by(col(SavedView.name))).all()
    return [row for row in rows if not page or _page(row.target) == page]


def save(writing: Session, who: Principal, name: str, target: str, clock: Clock) -> SavedView:
    """Keep *target* for *who* under *name*, instead of what had that name.

    Raises Refused for what is no filter of ours, Illegal for one view too many.
    """
    owner, name = _owner(who), _checked(name, target)
    now = clock.now()
    alone(writing, f"views {owner}")
    row = writing.get(SavedView, (owner, name))
    if row is None:
        if len(of(writing, who)) >= MOST:
            raise Illegal(f"you have {MOST} views: delete one first")
        row = SavedView(owner=owner, name=name, target=target, at=now)
    row.target, row.at = target, now
    writing.add(row)
    record(writing, _act(who, "view.save", name, clock, target))
    return row


def drop(writing: Session, who: Principal, name: str, clock: Clock) -> str:
    """Delete a view of *who*; return where it led. Raises NotFound."""
    owner = _owner(who)
    alone(writing, f"views {owner}")
    row = writing.get(SavedView, (owner, name))
    if row is None:
        raise NotFound("view", name)
    writing.delete(row)
    record(writing, _act(who, "view.delete", name, clock, row.target))
    return row.target


def view(row: SavedView) -> dict[str, Any]:
    """Return a view as the API shows it."""
    return {"name": row.name, "target": row.target, "saved": rfc3339(row.at)}


def _owner(who: Principal) -> str:
    who.require_person()
    return who.person or ""


def _checked(name: str, target: str) -> str:
    """Return *name* without blanks around it; raises Refused for what cannot be a view."""
    name = name.strip()
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable() or "/" in name:
        raise Refused(f"name: write 1 to {LONGEST_NAME} printable characters, without a slash")
    plain = target.isascii() and target.isprintable() and not set(target) & {" ", "\\"}
    if not plain or len(target) > LONGEST_TARGET or _page(target) not in FILTERED:
        pages = ", ".join(FILTERED)
        raise Refused(
            f"target: write path and query of one of {pages}, percent-encoded, "
            f"in at most {LONGEST_TARGET:,} characters"
        )
    return name


def _page(target: str) -> str:
    """Return the path of *target*."""
    return target.partition("?")[0]


def _act(who: Principal, action: str, name: str, clock: Clock, target: str) -> Act:
    about = f"view:{who.person}/{name}"
    return Act(at=clock.now(), actor=who.name, action=action, object=about, reason=target)
