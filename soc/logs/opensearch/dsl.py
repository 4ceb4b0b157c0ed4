"""Say a filter as a query of OpenSearch: what it takes, or, where that cannot be said, more."""

from typing import Any, NamedTuple

from soc.logs.filter import (
    Both,
    Either,
    Equals,
    Everything,
    Exists,
    Filter,
    Like,
    Not,
    Range,
    letters,
)
from soc.logs.match import COLUMNS, MOMENTS, bounds, moment, spelt
from soc.logs.opensearch.document import BARE
from soc.logs.opensearch.document import COLUMNS as ROOT
from soc.model.value import micros

WHOLE = frozenset({"seq", *MOMENTS})


class Query(NamedTuple):
    """A query. is_exact: it finds just what the filter takes, never more."""

    body: dict[str, Any]
    is_exact: bool = True


ALWAYS = Query({"match_all": {}})
UNSURE = Query({"match_all": {}}, is_exact=False)


def query(wanted: Filter) -> Query:
    """Return *wanted* as a query on the columns of documents."""
    match wanted:
        case Everything():
            return ALWAYS
        case Not(inner):
            found = query(inner)
            return Query({"bool": {"must_not": [found.body]}}) if found.is_exact else UNSURE
        case Both(left, right):
            one, other = query(left), query(right)
            both = {"bool": {"filter": [one.body, other.body]}}
            return Query(both, one.is_exact and other.is_exact)
        case Either(left, right):
            one, other = query(left), query(right)
            either = {"bool": {"should": [one.body, other.body], "minimum_should_match": 1}}
            return Query(either, one.is_exact and other.is_exact)
    column = COLUMNS.get(wanted.field)
    if column is None or column in BARE:
        return UNSURE
    return _of_column(wanted, f"{ROOT}.{column}", column)


def _of_column(  # noqa: PLR0911 - as above
    wanted: Equals | Like | Exists | Range, name: str, column: str
) -> Query:
    match wanted:
        case Exists():
            return Query({"exists": {"field": name}})
        case Equals(field, value):
            if column in MOMENTS:
                return Query({"term": {name: micros(moment(field, value))}})
            if column == "seq":
                return Query({"term": {name: int(value)}}) if _is_number(value) else _NOTHING
            return Query({"term": {name: spelt(field, value)}})
        case Like(field, pattern, folded):
            if column in WHOLE or not pattern.isascii():
                return UNSURE
            return Query({"wildcard": {name: _wildcard(spelt(field, pattern), folded=folded)}})
    if column not in WHOLE:
        return UNSURE
    low, high = (micros(b) if column in MOMENTS and b else b for b in bounds(wanted))
    sides = {"gte" if wanted.with_low else "gt": low, "lte" if wanted.with_high else "lt": high}
    limits = {side: str(bound) for side, bound in sides.items() if bound is not None}
    return Query({"range": {name: limits}} if limits else {"exists": {"field": name}})


_NOTHING = Query({"match_none": {}})


def _is_number(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) < 19 and str(int(value)) == value  # noqa: PLR2004 - 64 bits


def _wildcard(pattern: str, *, folded: bool) -> dict[str, Any]:
    parts = [
        letter if is_wild or letter not in "*?\\" else f"\\{letter}"
        for letter, is_wild in letters(pattern)
    ]
    return {"value": "".join(parts), "case_insensitive": folded}
