"""Compare text as Sigma does: without regard to case, character by character.

Two characters are the same if Unicode's *simple* case folding makes them so: ``K`` = ``k`` =
KELVIN SIGN, ``ẞ`` = ``ß``, and all small sigmas of Greek. Full folding is not used, since it
changes lengths and ``?`` stands for one character: ``ß`` is not ``ss``, and ``İ`` is only itself.
Nothing is normalised: a letter with a combining accent differs from the accented letter.
"""


def fold(text: str) -> str:
    """Return *text* so that texts which differ only in case become equal; its length stays."""
    if text.isascii():
        return text.lower()
    folded = text.casefold()
    # Folding never shortens a character, so an equal length means that none was lengthened.
    return folded if len(folded) == len(text) else "".join(map(_fold_one, text))


def _fold_one(character: str) -> str:
    for folded in (character.casefold(), character.lower()):
        if len(folded) == 1:
            return folded
    return character


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
