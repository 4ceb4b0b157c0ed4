"""Read moments as other systems write them, by formats like those of ``strftime``.

Not ``strptime``: that one runs ``re`` over the text.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import re2

from soc.errors import Refused
from soc.ingest.fields import moment
from soc.model.value import EPOCH

LONGEST = 64
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
RFC3339 = "rfc3339"
SINCE_1970 = MappingProxyType(
    {"seconds": 1, "milliseconds": 1_000, "microseconds": 1_000_000, "nanoseconds": 1_000_000_000}
)
DIRECTIVES = MappingProxyType(
    {
        "Y": r"(?P<Y>\d{4})",
        "y": r"(?P<y>\d{2})",
        "m": r"(?P<m>\d{1,2})",
        "b": r"(?P<b>[A-Za-z]{3})",
        "d": r"(?P<d>\d{1,2})",
        "e": r" ?(?P<d>\d{1,2})",
        "H": r"(?P<H>\d{1,2})",
        "I": r"(?P<I>\d{1,2})",
        "M": r"(?P<M>\d{2})",
        "S": r"(?P<S>\d{2})",
        "f": r"(?P<f>\d{1,9})",
        "p": r"(?P<p>[AaPp][Mm])",
        "z": r"(?P<z>Z|[+-]\d{2}:?\d{2})",
        "a": r"[A-Za-z]{3,9}",
        "%": "%",
    }
)
NEEDED = (("Y", "y"), ("m", "b"), ("d", "e"), ("H", "I"))

Read = Callable[[str], datetime]


def zone_of(name: str) -> ZoneInfo:
    """Return the zone called *name* in the IANA database; raises ValueError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as unknown:
        raise ValueError(f"no time zone {name!r}: write one such as Europe/Berlin") from unknown


def reader(form: str, zone: str = "UTC") -> Read:
    """Return what reads moments written as *form*; *zone* holds for text that names none.

    form: ``rfc3339``; ``seconds`` … ``nanoseconds`` since 1970; or directives, as
    ``%d/%b/%Y:%H:%M:%S %z``. What is returned raises Refused, naming the form. Raises ValueError
    for a form that is none, or that cannot tell a day and an hour.
    """
    where = zone_of(zone)
    if form == RFC3339:
        return lambda text: _rfc3339(text, where)
    if form in SINCE_1970:
        return lambda text: _since_1970(text, form)
    pattern = re2.compile(_pattern(form))

    def read(text: str) -> datetime:
        found = pattern.fullmatch(text.strip()) if len(text) <= LONGEST else None
        try:
            if found:
                return _moment(found.groupdict(), where)
        except (ValueError, OverflowError) as wrong:
            raise Refused(f"{text!r} is no time: {wrong}") from wrong
        raise Refused(f"{text[:LONGEST]!r} is no time as {form!r}")

    return read


def _rfc3339(text: str, where: ZoneInfo) -> datetime:
    found = moment(text[:LONGEST], "the time")
    try:
        read = datetime.fromisoformat(text.strip())
    except ValueError:
        return found
    return found if read.tzinfo else read.replace(tzinfo=where).astimezone(UTC)


def _since_1970(text: str, unit: str) -> datetime:
    """Return the moment; whole numbers keep each microsecond, which a float would not."""
    whole, _, fraction = text.strip().partition(".")
    number = whole.removeprefix("-")
    if not (number.isascii() and number.isdigit() and len(text) <= LONGEST):
        raise Refused(f"{text[:LONGEST]!r} is no number of {unit} since 1970")
    if fraction and not (fraction.isascii() and fraction.isdigit()):
        raise Refused(f"{text!r} is no number of {unit} since 1970")
    per_second = SINCE_1970[unit]
    try:
        micros = int(whole) * 1_000_000 // per_second
        micros += int(f"{fraction:0<6.6}") // per_second if fraction else 0
        return EPOCH + timedelta(microseconds=micros)
    except OverflowError as wrong:
        raise Refused(f"{text!r} lies beyond the calendar") from wrong


def _pattern(form: str) -> str:
    pieces, letters = [], iter(form)
    seen: set[str] = set()
    for letter in letters:
        if letter != "%":
            pieces.append(re2.escape(letter))
            continue
        directive = next(letters, "")
        if directive not in DIRECTIVES:
            known = " ".join(f"%{name}" for name in DIRECTIVES)
            raise ValueError(f"%{directive} is not known: write rfc3339, seconds, or {known}")
        pieces.append(DIRECTIVES[directive])
        seen.add(directive)
    for either in NEEDED:
        if not seen.intersection(either):
            raise ValueError(f"{form!r} lacks %{either[0]}: write rfc3339, or %Y-%m-%d %H:%M:%S")
    return "".join(pieces)


def _moment(parts: dict[str, str | None], where: ZoneInfo) -> datetime:
    name = (parts.get("b") or "").lower()
    if name and name not in MONTHS:
        raise ValueError(f"no month {name!r}")
    short = parts.get("y")
    year = int(parts.get("Y") or (f"20{short}" if int(short or 0) < 69 else f"19{short}"))  # noqa: PLR2004 - POSIX's own turn of the century
    hour = int(parts.get("H") or parts.get("I") or 0)
    if half := (parts.get("p") or "").lower():
        hour = hour % 12 + (12 if half == "pm" else 0)
    read = datetime(  # noqa: DTZ001 - its zone is found below
        year,
        MONTHS.index(name) + 1 if name else int(parts["m"] or 0),
        int(parts.get("d") or 0),
        hour,
        int(parts.get("M") or 0),
        int(parts.get("S") or 0),
        int(f"{parts.get('f') or '0':0<6.6}"),
    )
    return read.replace(tzinfo=_offset(parts.get("z")) or where).astimezone(UTC)


def _offset(text: str | None) -> timezone | None:
    if not text:
        return None
    if text == "Z":
        return UTC
    sign = -1 if text[0] == "-" else 1
    digits = text[1:].replace(":", "")
    return timezone(sign * timedelta(hours=int(digits[:2]), minutes=int(digits[2:])))
