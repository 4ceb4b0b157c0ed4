"""See values as Sigma does: as text, and as numbers."""

from fractions import Fraction
from math import isfinite


def number_of(value: object) -> int | float | None:
    """Return *value* as a number, if it is one or is decimal text such as ``-12.50``."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return value
    text = str(value)
    digits = text.removeprefix("-")
    whole, point, part = digits.partition(".")
    if len(text) > MAX_DIGITS or not _is_digits(whole) or (point and not _is_digits(part)):
        return None
    return float(text) if point else int(text)


def exactly(value: object) -> Fraction | None:
    """Return *value* as ``number_of`` does, but exact: a float is what it is written as."""
    number = number_of(value)
    if number is None or not isfinite(number):
        return None
    if isinstance(number, int):
        return Fraction(number)
    return Fraction(value if isinstance(value, str) else repr(number))


def text_of(value: object) -> str:
    """Return a value of JSON as the text that patterns see: ``true``, ``4624``, ``1.5``.

    JSON does not tell 1.0 from 1, so neither does this.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
        return str(int(value))
    return str(value)


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


MAX_DIGITS = 400
"""Longer text is no number: converting it would cost too much."""

EXACT = 2**53
"""Whole floats below this are exact."""
