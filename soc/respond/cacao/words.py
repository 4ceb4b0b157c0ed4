"""Names, days and spans of others, as our files spell them."""

from datetime import date, timedelta

from soc.content.kinds import duration_text
from soc.errors import Refused
from soc.respond.cacao.document import Cacao
from soc.respond.cacao.names import playbook_id

SECOND = 1_000
YEAR = 365 * 86_400 * SECOND
MANY_SECONDS = timedelta(days=10)


def slug(document: Cacao) -> str:
    """Return what *document* is called here."""
    name = word(document.name, 60).replace("_", "-").strip("-")
    return name or f"imported-{playbook_id(document.id)[-12:]}"


def word(text: str, longest: int) -> str:
    """Return *text* as our names are spelled: a letter first, then letters, digits and ``_``."""
    kept = (one if one.isascii() and one.isalnum() else " " for one in text[:200].lower())
    joined = "_".join("".join(kept).split())[:longest]
    return joined.lstrip("0123456789_").rstrip("_")


def day(moment: str) -> str:
    """Return the day of *moment*; raises Refused."""
    try:
        return date.fromisoformat(moment[:10]).isoformat()
    except ValueError as wrong:
        raise Refused("created: write a moment such as 2026-01-31T12:00:00.000Z") from wrong


def span(milliseconds: int) -> str:
    """Return a span as it is written, to the second; a long one to the minute."""
    exact = timedelta(seconds=round(milliseconds / SECOND))
    # Six digits are the most that a span is written with.
    return duration_text(exact if exact < MANY_SECONDS else exact - exact % timedelta(minutes=1))
