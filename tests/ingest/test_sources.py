"""A source file turns lines into events without Python, and says everything that is wrong in it."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc import plugins
from soc.errors import ContentError, Refused
from soc.ingest.parse import Intake
from soc.ingest.sources import samples, shape, times
from soc.ingest.sources.model import Source, read
from soc.ingest.sources.parser import parser_of
from soc.model.event import Reject, Row

DATA = Path(__file__).parent / "data"
BILLING = DATA / "billing.yml"
BROKEN = DATA / "broken-source.yml"
HEAD = """\
schema: commonwatch.source/1
source: shop
title: t
description: d
owner: o
status: stable
created: 2026-11-25
reviewed: 2026-11-25
references: []
dataset: shop.log
"""
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
Make = Callable[[str], Source]


def intake_with(source: Source) -> Intake:
    installed = {name: kind() for name, kind in plugins.load("soc.parsers").items()}
    return Intake({source.name: parser_of(source), **installed})


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make(text: str) -> Source:
        path = tmp_path / "shop.yml"
        path.write_text(HEAD + text)
        return read(path)

    return make


def test_every_sample_of_the_example_comes_out_as_it_says() -> None:
    source = read(BILLING)

    assert samples.problems(BILLING, source, intake_with(source)) == ()


def test_all_mistakes_of_a_file_are_told_at_once_with_what_to_write() -> None:
    expected = {
        number: line.partition("# -> ")[2]
        for number, line in enumerate(BROKEN.read_text().splitlines(), start=1)
        if "# -> " in line
    }

    with pytest.raises(ContentError) as caught:
        read(BROKEN)

    told: dict[int, str] = {}
    for problem in caught.value.problems:
        told[problem.line] = told.get(problem.line, "") + problem.message
    assert told.keys() == expected.keys()
    assert [n for n, words in expected.items() if words not in told[n]] == []


TEXTS: dict[str, tuple[str, str, dict[str, Any] | str]] = {
    "pairs": (
        "format: kv\nmatch: {fields: {app: [shop]}}\ntimestamp: {field: t}\nfields: {usr: user.name}\nsamples: [{line: x, event: {}}]\n",
        'INFO app=shop t=2026-11-23T12:00:00Z usr="Ines \\"I\\" B" n=1 n=2 =odd',
        {"user.name": 'Ines "I" B', "shop.n": ["1", "2"], "shop.words": ["INFO", "=odd"], "shop.app": "shop"},
    ),
    "pairs with other signs": (
        'format: kv\nseparator: ","\nassign: ":"\nmatch: {has: [usr]}\ntimestamp: {field: t, format: seconds}\nfields: {usr: user.name}\nsamples: [{line: x, event: {}}]\n',
        "t:1795435200,usr:ines b",
        {"user.name": "ines b", "@timestamp": "2026-11-23T12:00:00+00:00"},
    ),
    "columns": (
        'format: csv\ncolumns: [t, who, what]\ndelimiter: ";"\nmatch: {contains: [";"]}\ntimestamp: {field: t, format: "%d.%m.%Y %H:%M:%S", zone: Europe/Berlin}\nfields: {who: user.name}\nsamples: [{line: x, event: {}}]\n',
        '23.11.2026 13:00:00;"ines; b";login',
        {"user.name": "ines; b", "shop.what": "login", "@timestamp": "2026-11-23T12:00:00+00:00"},
    ),
    "too few columns": (
        'format: csv\ncolumns: [t, who]\nmatch: {contains: [","]}\ntimestamp: {field: t}\nsamples: [{line: x, event: {}}]\n',
        "a,b,c",
        "3 columns instead of 2: t, who",
    ),
    "a quote that does not end": (
        'format: csv\ncolumns: [t, who]\nmatch: {contains: [","]}\ntimestamp: {field: t}\nsamples: [{line: x, event: {}}]\n',
        'a,"b',
        "not one record of CSV",
    ),
    "groups": (
        "format: regex\npattern: '\\[(?P<t>[^\\]]+)\\] (?P<user>\\S+) (?P<code>\\d+)(?: (?P<rest>.*))?'\ntimestamp: {field: t, format: '%d/%b/%Y:%H:%M:%S.%f %z'}\nfields: {user: user.name, code: http.response.status_code}\nconvert: {code: integer}\nsamples: [{line: x, event: {}}]\n",
        "[23/Nov/2026:13:00:00.5 +0100] ines 404",
        {"user.name": "ines", "http.response.status_code": 404, "@timestamp": "2026-11-23T12:00:00.500000+00:00", "event.original": "[23/Nov/2026:13:00:00.5 +0100] ines 404"},
    ),
    "what cannot be converted": (
        "format: regex\npattern: '(?P<t>\\S+) (?P<code>\\S+)'\ntimestamp: {field: t}\nfields: {code: http.response.status_code}\nconvert: {code: integer}\nsamples: [{line: x, event: {}}]\n",
        "2026-11-23T12:00:00Z many",
        "code is 'many', no integer",
    ),
    "a field that is required": (
        "format: kv\nmatch: {has: [t]}\nrequired: [usr]\ntimestamp: {field: t}\nsamples: [{line: x, event: {}}]\n",
        "t=2026-11-23T12:00:00Z",
        "no field 'usr'",
    ),
    "a value in the way of an object": (
        "format: kv\nmatch: {has: [t]}\ntimestamp: {field: t}\nconstants: {shop: here}\nfields: {a: shop.a}\nsamples: [{line: x, event: {}}]\n",
        "t=2026-11-23T12:00:00Z a=1",
        "holds a value already",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "line", "wanted"), TEXTS.values(), ids=TEXTS)
def test_a_line_becomes_what_the_file_says_or_is_refused_with_the_reason(
    make: Make, text: str, line: str, wanted: dict[str, Any] | str
) -> None:
    source = make(text)

    tried = samples.try_line(source, line, intake_with(source))

    if isinstance(wanted, str):
        assert wanted in tried.refused
    else:
        assert tried.refused == ""
        found = {name: samples.fields.find(tried.event or {}, name) for name in wanted}
        assert found == wanted


def test_a_source_file_is_asked_before_the_installed_parsers() -> None:
    source = read(BILLING)
    line = {"@timestamp": "2026-11-23T12:00:00Z", "app": "billing", "at": 1, "invoice": {"id": "I"}}

    (row,) = intake_with(source).read([(orjson.dumps(line), None)])

    assert isinstance(row, Row)
    assert (row.parser, row.dataset, row.ts) == (
        "billing",
        "billing.audit",
        datetime(1970, 1, 1, 0, 0, 0, 1000, UTC),
    )


def test_what_is_not_its_own_goes_to_the_others() -> None:
    source = read(BILLING)
    lines = [b'{"@timestamp":"2026-11-23T12:00:00Z","app":"shop"}', b'{"app":"shop"}', b"hello"]

    rows = intake_with(source).read([(line, None) for line in lines])

    assert [type(row) for row in rows] == [Row, Reject, Reject]


def test_an_id_lacking_a_part_is_none_so_that_nothing_is_taken_for_another() -> None:
    source = read(BILLING)

    (row,) = intake_with(source).read([(b'{"app":"billing","at":1,"invoice":{"id":"I"}}', None)])

    assert isinstance(row, Row)
    assert row.event_id is None


def test_of_json_what_was_written_otherwise_stays_as_it_was() -> None:
    source = read(BILLING)

    (row,) = intake_with(source).read([(source.samples[0].line.encode(), None)])

    assert isinstance(row, Row)
    own = orjson.loads(row.raw)["billing"]
    assert (own["result"], own["cents"], own["at"]) == ("DENIED", "120", 1795435200123)


MOMENTS = {
    "rfc 3339": ("rfc3339", "UTC", "2026-11-23T12:00:00Z"),
    "rfc 3339 in a zone of its own": ("rfc3339", "Europe/Berlin", "2026-11-23T13:00:00"),
    "seconds": ("seconds", "UTC", "1795435200"),
    "seconds with a fraction": ("seconds", "UTC", "1795435200.000000"),
    "milliseconds": ("milliseconds", "UTC", "1795435200000"),
    "nanoseconds": ("nanoseconds", "UTC", "1795435200000000999"),
    "directives": ("%Y-%m-%d %H:%M:%S", "UTC", "2026-11-23 12:00:00"),
    "half a day": ("%m/%d/%y %I:%M %p", "UTC", "11/23/26 12:00 PM"),
    "day of the week and a padded day": ("%a %b %e %H:%M:%S %Y", "UTC", "Mon Nov 23 12:00:00 2026"),
    "an offset": ("%Y%m%d %H%M%S%z".replace("%H%M", "%H:%M:"), "UTC", "20261123 06:30:00-05:30"),
    "summer time": ("%Y-%m-%d %H", "America/New_York", "2026-11-23 07"),
}  # fmt: skip


@pytest.mark.parametrize(("form", "zone", "text"), MOMENTS.values(), ids=MOMENTS)
def test_a_moment_is_read_as_its_form_says(form: str, zone: str, text: str) -> None:
    assert times.reader(form, zone)(text) == NOON


@given(st.text(max_size=80))
def test_no_text_is_worse_than_refused(text: str) -> None:
    for form in ("rfc3339", "seconds", "nanoseconds", "%Y-%m-%d %H:%M:%S.%f%z", "%b %e %y %I %p"):
        try:
            assert times.reader(form)(text).tzinfo is UTC
        except Refused:
            continue


@given(st.text(max_size=200))
def test_no_line_breaks_a_format(line: str) -> None:
    for split in (
        shape.pairs(" ", "="),
        shape.pairs("|", ":"),
        shape.columns(["a", "b"], ","),
        shape.groups("(?P<a>.*)=(?P<b>.*)"),
    ):
        try:
            assert isinstance(split(line), dict)
        except Refused:
            continue


def test_a_line_of_more_pairs_than_an_event_has_is_refused() -> None:
    with pytest.raises(Refused, match="more than 512 pairs"):
        shape.pairs(" ", "=")(" ".join(f"k{n}=1" for n in range(513)))


def test_an_expression_that_would_take_for_ever_elsewhere_takes_none_here() -> None:
    with pytest.raises(Refused):
        shape.groups("(?P<a>(x+x+)+)y")("x" * 100_000)


@pytest.mark.parametrize(
    "pattern", ["(?=a)(?P<b>c)", "(?P<a>x)\\1", "(", "(?P<a>" + "x" * 5000 + ")"]
)
def test_a_pattern_that_is_not_re2_is_refused_by_name(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"not RE2|longer than"):
        shape.compiled(pattern)
