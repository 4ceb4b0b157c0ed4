"""Compare text as rules do: without regard to case, character by character.

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
