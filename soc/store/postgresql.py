"""What PostgreSQL needs told."""

from psycopg.abc import Buffer
from psycopg.types.string import StrDumper

from soc.store.engine import REPLACEMENT


class NulFree(StrDumper):
    """Text as PostgreSQL takes it: it has no NUL, which an attacker may well send."""

    def dump(self, obj: str) -> Buffer | None:
        """Return *obj* with a mark in the place of each NUL."""
        return super().dump(obj.replace("\x00", REPLACEMENT))
