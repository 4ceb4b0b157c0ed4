"""Say a filter in SQL: what it takes, or, where only the event's text tells, a little more."""

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
from soc.logs.match import COLUMNS, MOMENTS, bounds, expression, moment, number, spelt

SHORTEST = 3
"""Letters of a pattern that are worth looking for in the event's text."""


class Condition(NamedTuple):
    """A condition of SQL. is_exact: it is true of just what the filter takes, never of more."""

    text: str
    values: tuple[Any, ...] = ()
    is_exact: bool = True


ALWAYS = Condition("TRUE")
UNSURE = Condition("TRUE", is_exact=False)


def condition(wanted: Filter) -> Condition:  # noqa: PLR0911 - one for each kind of filter
    """Return *wanted* as a condition on the columns of events."""
    match wanted:
        case Everything():
            return ALWAYS
        case Not(inner):
            found = condition(inner)
            if not found.is_exact:
                return UNSURE
            return Condition(f"NOT coalesce({found.text}, FALSE)", found.values)
        case Both(left, right):
            return _joined("AND", condition(left), condition(right))
        case Either(left, right):
            return _joined("OR", condition(left), condition(right))
        case Exists(field):
            column = COLUMNS.get(field)
            return (
                Condition(f'"{column}" IS NOT NULL') if column else _mentions(field.split(".")[-1])
            )
        case Equals(field, value):
            return _equals(field, value)
        case Like(field, pattern, folded):
            return _like(field, pattern, folded)
        case Range():
            return _range(wanted)


def _joined(word: str, one: Condition, other: Condition) -> Condition:
    text = f"({one.text} {word} {other.text})"
    return Condition(text, (*one.values, *other.values), one.is_exact and other.is_exact)


def _equals(field: str, value: str) -> Condition:
    column = COLUMNS.get(field)
    if column is None:
        return UNSURE if number(value) is not None else _mentions(value)
    if column in MOMENTS:
        return Condition(f'"{column}" = ?', (moment(field, value),))
    if column == "seq":
        return Condition('CAST("seq" AS VARCHAR) = ?', (value,))
    return Condition(f'"{column}" = ?', (spelt(field, value),))


def _like(field: str, pattern: str, folded: bool) -> Condition:  # noqa: FBT001 - as the filter has it
    column = COLUMNS.get(field)
    if column is None:
        runs = "".join("\0" if is_wild else letter for letter, is_wild in letters(pattern))
        longest = max(runs.split("\0"), key=len)
        return UNSURE if folded or len(longest) < SHORTEST else _mentions(longest)
    if column in MOMENTS:
        return UNSURE
    pattern = expression(spelt(field, pattern), folded).pattern
    return Condition(f'regexp_matches(CAST("{column}" AS VARCHAR), ?)', (pattern,))


def _range(wanted: Range) -> Condition:
    low, high = bounds(wanted)
    column = COLUMNS.get(wanted.field)
    if column not in MOMENTS | {"seq"}:
        return UNSURE
    parts = [Condition(f'"{column}" IS NOT NULL')]
    if low is not None:
        parts.append(Condition(f'"{column}" {">=" if wanted.with_low else ">"} ?', (low,)))
    if high is not None:
        parts.append(Condition(f'"{column}" {"<=" if wanted.with_high else "<"} ?', (high,)))
    text = " AND ".join(part.text for part in parts)
    return Condition(f"({text})", tuple(value for part in parts for value in part.values))


def _mentions(words: str) -> Condition:
    """Return what is true wherever the event's text has *words*, however JSON spells them."""
    if not words.isascii() or not words.isprintable() or '"' in words:
        return UNSURE
    return Condition("(contains(raw, ?) OR contains(raw, '\\'))", (words,), is_exact=False)
