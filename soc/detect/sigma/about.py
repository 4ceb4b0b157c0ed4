"""Read what every rule says about itself, checked by pySigma."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from sigma.exceptions import SigmaError, SigmaRuleLocation, SigmaTypeError
from sigma.rule import SigmaRule

from soc.detect.sigma.rule import Extras
from soc.detect.sigma.source import Source
from soc.errors import Problem

KEYS = {"identifier": "id", "tag": "tags"}
"""Where pySigma's error is not called like the key that it is about."""


def read_about(source: Source) -> tuple[dict[str, Any], list[SigmaError]]:
    """Return the fields that rules and correlations share, and all that is wrong with them."""
    plain = dict(source.plain)
    if not isinstance(plain.get("id", ""), str):
        plain["id"] = str(plain["id"])  # pySigma says what is wrong with it of text alone
    read, found = SigmaRule.from_dict_common_params(plain, collect_errors=True)
    errors = [_placed(error, source) for error in found]
    extras, more = _extras(source)
    if errors or more:
        return {}, [*errors, *more]
    about = {
        "id": str(read["id"] or ""),
        "title": read["title"],
        "level": str(read["level"] or ""),
        "status": str(read["status"] or ""),
        "tags": tuple(map(str, read["tags"])),
        "author": read["author"] or "",
        "licence": read["license"] or "",
        "digest": source.digest,
        "line": source.locate().line,
        "extras": extras,
    }
    return about, []


def problem_of(errors: Iterable[Exception], source: Source) -> Problem:
    """Return all that is wrong with a rule as one problem, at the place of the first."""
    reasons: list[str] = []
    line = 0
    for error in errors:
        at: SigmaRuleLocation | None = getattr(error, "source", None)
        line = line or (at.line if at and at.line else 0)
        reason = str(error.args[0]) if error.args else ""
        reasons.append(reason or type(error).__name__)
    return Problem(source.path, line or source.locate().line or 1, "; ".join(reasons))


def _placed(error: SigmaError, source: Source) -> SigmaError:
    """Return *error* with its place: pySigma calls it by the key that it is about."""
    word = type(error).__name__.removeprefix("Sigma").removesuffix("Error").lower()
    error.source = error.source or source.locate(KEYS.get(word, word))
    return error


def _extras(source: Source) -> tuple[Extras, list[SigmaError]]:
    written = source.plain.get("soc", {})
    if not isinstance(written, Mapping):
        return Extras(), [SigmaTypeError("soc is a map of keys", source=source.locate("soc"))]
    known = Extras.__slots__
    errors: list[SigmaError] = []
    for key, value in written.items():
        at = source.locate("soc", key)
        if key not in known:
            errors.append(SigmaTypeError(f"unknown key {key!r} in soc: {list(known)}", source=at))
        elif not isinstance(value, str | date):
            errors.append(SigmaTypeError(f"soc.{key} is text", source=at))
    return Extras(**({} if errors else {key: str(value) for key, value in written.items()})), errors
