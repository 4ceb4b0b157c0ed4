"""The kinds of columns that rows are made of.

Moments are aware UTC. Columns that end in ``_json`` hold JSON text.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, Text, TypeDecorator
from sqlmodel import Field


class Moment(TypeDecorator[datetime]):
    """A moment that is aware and in UTC, whatever the database makes of zones.

    SQLite keeps none; PostgreSQL answers in that of the connection.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Return *value* in UTC; astimezone refuses nothing, so naive moments must not get here."""
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Return *value* in UTC."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


Number: Any = BigInteger().with_variant(Integer(), "sqlite")
"""A whole number of 64 bits: what SQLite calls INTEGER, and numbers its rows by."""


def moment(**options: Any) -> Any:  # noqa: ANN401 - what Field itself takes and gives
    """Return a column of a moment in UTC."""
    return Field(sa_type=Moment, **options)


def text(**options: Any) -> Any:  # noqa: ANN401 - what Field itself takes and gives
    """Return a column of text of any length."""
    return Field(sa_type=Text, **options)


def number(**options: Any) -> Any:  # noqa: ANN401 - what Field itself takes and gives
    """Return a column of a whole number of 64 bits."""
    return Field(sa_type=Number, **options)
