"""Read lists that others wrote: CSV with a head line, or a STIX 2.1 bundle. All or nothing."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from soc.content.document import did_you_mean
from soc.errors import ContentError, Problem
from soc.intelligence.indicator import Entry, Kind
from soc.intelligence.stix import entries_of

MOST = 10_000
"""Entries of one list: what a rule may take for one placeholder."""
LARGEST = 32 * 1024 * 1024
TOLD = 100
"""Mistakes that are told of one file."""
COLUMNS = ("kind", "value", "confidence", "expires", "label")
NEEDED = ("kind", "value")


def read(path: Path, data: bytes, form: str = "auto") -> tuple[Entry, ...]:
    """Return the entries that *data*, the file at *path*, holds, sorted.

    form: csv, stix, or auto. Raises ContentError with every mistake, each with its line.
    """
    if len(data) > LARGEST:
        raise ContentError([Problem(path, 1, f"over {LARGEST} bytes: split it")])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        line = data[: wrong.start].count(b"\n") + 1
        raise ContentError([Problem(path, line, "not UTF-8: save it as UTF-8")]) from wrong
    is_stix = form == "stix" or (form == "auto" and text.lstrip().startswith("{"))
    problems: list[Problem] = []
    made = list(_stix(path, text, problems) if is_stix else _csv(path, text, problems))
    if not problems and not made:
        problems.append(Problem(path, 1, "no entry is in it: a list names at least one value"))
    if len(made) > MOST:
        problems.append(Problem(path, 1, f"over {MOST} entries: split it into several lists"))
    if problems:
        raise ContentError(sorted(problems)[:TOLD])
    return tuple(sorted(made, key=lambda entry: (entry.kind, entry.value)))


def _csv(path: Path, text: str, problems: list[Problem]) -> Iterator[Entry]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    seen: dict[tuple[Kind, str], int] = {}
    try:
        head = [name.strip().lower() for name in next(reader, [])]
        if wrong := _wrong_head(head):
            problems.append(Problem(path, 1, wrong))
            return
        for row in reader:
            line = reader.line_num
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(head):
                told = f"{len(row)} cells under {len(head)} columns: quote commas in values"
                problems.append(Problem(path, line, told))
                continue
            cells = dict(zip(head, (cell.strip() for cell in row), strict=True))
            entry = _entry(path, line, {k: v for k, v in cells.items() if v}, problems)
            if entry is None:
                continue
            if (before := seen.setdefault((entry.kind, entry.value), line)) != line:
                problems.append(Problem(path, line, f"{entry.value} is in line {before}, too"))
                continue
            yield entry
    except csv.Error as broken:
        problems.append(Problem(path, reader.line_num, f"not CSV: {broken}"))


def _wrong_head(head: list[str]) -> str:
    if missing := [name for name in NEEDED if name not in head]:
        return f"the head line has no {missing[0]}: write kind,value,confidence,expires,label"
    if unknown := [name for name in head if name not in COLUMNS]:
        return f"unknown column {unknown[0]!r}: {did_you_mean(unknown[0], COLUMNS)}"
    return "a column is there twice" if len(set(head)) < len(head) else ""


def _stix(path: Path, text: str, problems: list[Problem]) -> Iterator[Entry]:
    try:
        bundle = orjson.loads(text)
    except orjson.JSONDecodeError as broken:
        problems.append(Problem(path, broken.lineno, f"not JSON: {broken.msg}"))
        return
    objects = bundle.get("objects") if isinstance(bundle, dict) else None
    if not isinstance(objects, list) or bundle.get("type") != "bundle":
        problems.append(Problem(path, 1, "not a STIX bundle: write type bundle, and objects"))
        return
    found: dict[tuple[Kind, str], Entry] = {}
    for one in objects:
        if not isinstance(one, dict) or one.get("type") != "indicator" or one.get("revoked"):
            continue
        line = _line(text, str(one.get("id", "")))
        try:
            given = entries_of(one)
        except ValueError as wrong:
            problems.append(Problem(path, line, f"{one.get('id')}: {wrong}"))
            continue
        for cells in given:
            if entry := _entry(path, line, cells, problems):
                known = found.get((entry.kind, entry.value))
                found[entry.kind, entry.value] = _surer(known, entry) if known else entry
    yield from found.values()


def _line(text: str, name: str) -> int:
    at = text.find(f'"{name}"') if name else -1
    return text.count("\n", 0, at) + 1 if at >= 0 else 1


def _surer(one: Entry, other: Entry) -> Entry:
    """Return the one of two entries of a value that is surer, and of these the one that lasts."""
    far = datetime.max.replace(tzinfo=UTC)
    return max(one, other, key=lambda entry: (entry.confidence, entry.expires or far))


def _entry(path: Path, line: int, cells: dict[str, Any], problems: list[Problem]) -> Entry | None:
    try:
        return Entry(**{**cells, **_typed(cells)})
    except ValidationError as invalid:
        for error in invalid.errors(include_url=False):
            place = str(error["loc"][0]) if error["loc"] else "value"
            told = error["msg"].removeprefix("Value error, ")
            problems.append(Problem(path, line, f"{place}: {told}"))
    except ValueError as wrong:
        problems.append(Problem(path, line, str(wrong)))
    return None


def _typed(cells: dict[str, Any]) -> dict[str, object]:
    typed: dict[str, object] = {}
    kind = cells.get("kind", "")
    if kind not in set(Kind):
        raise ValueError(f"kind: {did_you_mean(str(kind), Kind)}")
    typed["kind"] = Kind(kind)
    if isinstance(text := cells.get("confidence"), str):
        try:
            typed["confidence"] = float(text)
        except ValueError as wrong:
            raise ValueError(f"confidence: {text}: write a number from 0 to 1") from wrong
    if (moment := cells.get("expires")) is not None:
        typed["expires"] = _moment(moment)
    return typed


def _moment(text: object) -> datetime:
    try:
        read = datetime.fromisoformat(str(text))
    except ValueError as wrong:
        raise ValueError(f"expires: {text}: write a moment such as 2027-01-31") from wrong
    return read if read.tzinfo else read.replace(tzinfo=UTC)
