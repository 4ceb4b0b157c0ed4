"""What routes of the API ask for, and of whom."""

from typing import Annotated, Any

from fastapi import Depends, Query, Request
from fastapi import Path as PathParameter
from pydantic import BaseModel, ConfigDict, Field

from soc.access.permissions import Permission, Principal
from soc.web.bulk import TooLarge
from soc.web.front import Front

Limit = Annotated[int, Query(ge=1, le=1000)]
Cursor = Annotated[str | None, Query(alias="cursor", max_length=400)]
Minutes = Annotated[int | None, Query(ge=0, le=525_600)]
Number = Annotated[int, PathParameter(ge=1, le=2**53, examples=[1])]
Plain = dict[str, Any]


class Body(BaseModel):
    """What every request body keeps to."""

    model_config = ConfigDict(extra="forbid", str_max_length=4_000)


class Reason(Body):
    """Why."""

    reason: Annotated[str, Field(min_length=1)]


async def bounded_body(request: Request, largest: int) -> bytes:
    """Return the body; raises TooLarge beyond *largest* bytes, before the rest is read."""
    parts: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > largest:
            raise TooLarge(f"the body is too large: at most {largest:,} bytes")
        parts.append(chunk)
    return b"".join(parts)


def needs(front: Front, permission: Permission, *, person: bool = False) -> Any:  # noqa: ANN401 - FastAPI's own dependency
    """Return a dependency that gives who asks, if that one holds *permission*.

    person: and is one, neither a machine nor the owner of the home.
    """

    def check(request: Request) -> Principal:
        who = front.require(request, permission)
        if person:
            who.require_person()
        return who

    return Depends(check)
