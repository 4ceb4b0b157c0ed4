"""Lists by cursor: a page begins after the last row of the one before, whatever was added since."""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import orjson
from sqlalchemy import ColumnElement, TypeDecorator, literal, tuple_
from sqlalchemy.types import TypeEngine
from sqlmodel import Session, col
from sqlmodel.sql.expression import SelectOfScalar

from soc.errors import QueryError
from soc.model.value import rfc3339

Plain = dict[str, Any]
Row = TypeVar("Row")


def paged(
    looking: Session,
    found: SelectOfScalar[Any],
    order: Sequence[Any],
    view: Callable[[Any], Plain],
    limit: int,
    cursor: str | None,
) -> Plain:
    """Return ``items``, the largest by *order* first, and ``next``: the cursor of what follows.

    order: columns of one table that together name a row. Raises QueryError for a cursor of another
    list.
    """
    names = [column.key or "" for column in order]
    if cursor is not None:
        found = found.where(tuple_(*order) < _beyond(cursor, order))
    found = found.order_by(*(column.desc() for column in order)).limit(limit + 1)
    rows = looking.exec(found).all()
    last = [getattr(rows[limit - 1], name) for name in names] if len(rows) > limit else None
    return {"items": [view(row) for row in rows[:limit]], "next": _cursor(last) if last else None}


def newest(
    looking: Session,
    found: SelectOfScalar[Row],
    order: Any,  # noqa: ANN401 - a column
    most: int | None,
) -> Sequence[Row]:
    """Return the rows of *found* that are last by *order*, at most so many, the first first."""
    if most is None:
        return looking.exec(found.order_by(col(order))).all()
    return looking.exec(found.order_by(col(order).desc()).limit(most)).all()[::-1]


def _cursor(values: Sequence[Any]) -> str:
    plain = [rfc3339(one) if isinstance(one, datetime) else one for one in values]
    return base64.urlsafe_b64encode(orjson.dumps(plain)).decode().rstrip("=")


def _beyond(cursor: str, order: Sequence[Any]) -> ColumnElement[Any]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        given = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        kinds = [_kind(column.type) for column in order]
        values = [_value(one, kind) for one, kind in zip(given, kinds, strict=True)]
    except (binascii.Error, ValueError, TypeError) as wrong:
        raise QueryError("this cursor is of no page of this list: begin without one") from wrong
    return tuple_(*(literal(one, column.type) for one, column in zip(values, order, strict=True)))


def _kind(column: TypeEngine[Any]) -> type:
    """Return what Python has in a column; a type of our own is what it is made of."""
    made = column.impl_instance if isinstance(column, TypeDecorator) else column
    return made.python_type


def _value(given: object, kind: type) -> object:
    if kind is datetime and isinstance(given, str):
        return datetime.fromisoformat(given)
    if type(given) is not kind:
        raise TypeError(given)
    return given
