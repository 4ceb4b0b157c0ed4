"""Take a line apart into named values: pairs, columns, or the groups of an RE2 pattern."""

import csv
from collections.abc import Callable, Sequence
from typing import Any

import re2

from soc.errors import Refused

MAX_FIELDS = 512
LONGEST_PATTERN = 4_096
WORDS = "words"
"""Where a line of pairs keeps what is no pair."""

Split = Callable[[str], dict[str, Any]]


def compiled(pattern: str) -> Any:  # noqa: ANN401 - re2 is untyped
    """Return *pattern* as RE2 has it; raises ValueError saying what it does not know."""
    if len(pattern) > LONGEST_PATTERN:
        raise ValueError(f"longer than {LONGEST_PATTERN} characters: write two sources")
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options=options)
    except re2.error as wrong:
        said = wrong.args[0] if wrong.args else wrong
        reason = said.decode() if isinstance(said, bytes) else str(said)
        raise ValueError(f"not RE2: {reason}; it has no look-around and no \\1") from wrong


def pairs(separator: str, assign: str) -> Split:
    """Return what reads ``key=value key="two words"``; a key said twice becomes a list.

    Within quotes a backslash keeps what follows it.
    """
    gap = r"\s" if separator == " " else re2.escape(separator)
    between, equals = f"[^{gap}]", re2.escape(assign)
    pattern = re2.compile(
        rf'([^{gap}{equals}]+){equals}(?:"((?:[^"\\]|\\.)*)"|({between}*))|({between}+)'
    )

    def split(line: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for match in pattern.finditer(line):
            key, quoted, bare, word = match.groups()
            value = word if key is None else bare if quoted is None else _unquoted(quoted)
            _add(found, (key or WORDS).strip(), value)
        return found

    return split


def columns(names: Sequence[str], delimiter: str) -> Split:
    """Return what reads one record of RFC 4180 with these columns."""

    def split(line: str) -> dict[str, Any]:
        try:
            (record,) = csv.reader([line], delimiter=delimiter, strict=True)
        except (csv.Error, ValueError) as wrong:
            raise Refused(f"not one record of CSV: {wrong}") from wrong
        if len(record) != len(names):
            raise Refused(f"{len(record)} columns instead of {len(names)}: {', '.join(names)}")
        return dict(zip(names, record, strict=True))

    return split


def groups(pattern: str) -> Split:
    """Return what reads the named groups of *pattern*, which must match the whole line."""
    whole = compiled(pattern)

    def split(line: str) -> dict[str, Any]:
        found = whole.fullmatch(line)
        if not found:
            raise Refused("the pattern does not match the whole line")
        return {name: value for name, value in found.groupdict().items() if value is not None}

    return split


def _add(found: dict[str, Any], key: str, value: str) -> None:
    if key not in found:
        if len(found) >= MAX_FIELDS:
            raise Refused(f"more than {MAX_FIELDS} pairs: split the event")
        found[key] = value
    elif isinstance(found[key], list):
        found[key].append(value)
    else:
        found[key] = [found[key], value]


def _unquoted(text: str) -> str:
    if "\\" not in text:
        return text
    letters = iter(text)
    return "".join(next(letters, "") if letter == "\\" else letter for letter in letters)
