"""Each modifier of the specification: what it matches, and what it does not."""

from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest

Fires = Callable[..., bool]

LONG = "x" * 500


def b64(text: str, codec: str = "utf-8", before: bytes = b"") -> str:
    return b64encode(before + text.encode(codec)).decode()


@pytest.mark.parametrize(
    ("field", "value", "event_value", "expected"),
    [
        pytest.param("f", "Abc", "aBC", True, id="equal whatever the case"),
        pytest.param("f", "abc", "abcd", False, id="equal means all of it"),
        pytest.param("f", ["a", "b"], "B", True, id="one of a list"),
        pytest.param("f|contains", "b", "ABC", True, id="contains"),
        pytest.param("f|contains", "bd", "abcd", False, id="contains not"),
        pytest.param("f|contains", "a*d", "xxabcdyy", True, id="contains with a wildcard"),
        pytest.param("f|contains", "a*d", "da", False, id="contains with a wildcard not"),
        pytest.param("f|startswith", "ab", "ABc", True, id="startswith"),
        pytest.param("f|startswith", "b", "abc", False, id="startswith not"),
        pytest.param("f|startswith", "a?c", "abcd", True, id="startswith with a wildcard"),
        pytest.param("f|endswith", ["x", "bc"], "aBC", True, id="endswith"),
        pytest.param("f|endswith", "b", "abc", False, id="endswith not"),
        pytest.param("f|contains|all", ["a", "c"], "abc", True, id="all"),
        pytest.param("f|contains|all", ["a", "x"], "abc", False, id="all but one"),
        pytest.param("f|all|contains", ["a", "x"], "abc", False, id="all, written first"),
        pytest.param("f|cased", "Abc", "Abc", True, id="cased"),
        pytest.param("f|cased", "Abc", "abc", False, id="cased not"),
        pytest.param("f|contains|cased", "B", "aBc", True, id="contains, cased"),
        pytest.param("f|startswith|cased", "a", "ABC", False, id="startswith, cased"),
        pytest.param("f|endswith|cased", "c", "ABC", False, id="endswith, cased"),
        pytest.param("f|cased", "a*C", "abC", True, id="wildcard, cased"),
        pytest.param("f|cased", "a*C", "abc", False, id="wildcard, cased not"),
        pytest.param("f|windash", "-a", "/a", True, id="windash slash"),
        pytest.param("f|windash", "-a", "\u2013a", True, id="windash en dash"),
        pytest.param("f|windash", "/a", "\u2014a", True, id="windash em dash"),
        pytest.param("f|windash", "-a", "\u2015a", True, id="windash bar"),
        pytest.param("f|windash|contains", "-a -b", "x /a \u2013b", True, id="windash permutes"),
        pytest.param("f|windash", "a-b", "a/b", False, id="windash within a word"),
        pytest.param("f|windash|contains|all", ["-a", "-b"], "/a", False, id="windash all"),
        pytest.param("f|base64", "foo", b64("foo"), True, id="base64"),
        pytest.param("f|base64|contains", "foobar", "x" + b64("foobar"), True, id="base64 in"),
        *(
            pytest.param(
                "f|base64offset|contains",
                text,
                b64(text + "zz", before=b"q" * shift),
                True,
                id=f"base64offset {name} {shift}",
            )
            for shift in range(3)
            for text, name in (("evil.example", "text"), ("böse.example", "not ASCII"))
        ),
        pytest.param("f|base64offset|contains", "foo", b64("bar" * 9), False, id="offset not"),
        *(
            pytest.param(
                f"f|{modifier}|base64offset|contains",
                text,
                b64(text + "zz", "utf-16-le", b"q" * shift),
                True,
                id=f"{modifier} offset {shift} {name}",
            )
            for shift in range(3)
            for modifier in ("wide", "utf16le")
            for text, name in (("cmd /c", "ascii"), ("größe", "not ASCII"))
        ),
        pytest.param("f|utf16|base64", "cmd", b64("cmd", "utf-16"), True, id="utf16 has a mark"),
        pytest.param("f|utf16be|base64", "cmd", b64("cmd", "utf-16-be"), True, id="utf16be"),
        pytest.param("f|wide", "ab", "a\0b\0", True, id="wide alone"),
        pytest.param("f|re", "a.c", "xxabcxx", True, id="re searches"),
        pytest.param("f|re", "^a.c$", "xabc", False, id="re with anchors"),
        pytest.param("f|re", "abc", "ABC", False, id="re is cased"),
        pytest.param("f|re|i", "abc", "ABC", True, id="re i"),
        pytest.param("f|re", "a.c", "a\nc", False, id="re stops at a line's end"),
        pytest.param("f|re|s", "a.c", "a\nc", True, id="re s"),
        pytest.param("f|re", "^b", "a\nb", False, id="re knows one line"),
        pytest.param("f|re|m", "^b$", "a\nb\nc", True, id="re m"),
        pytest.param("f|re|i|m|s", "^B.C", "a\nb\nc", True, id="re i m s"),
        pytest.param("f|re", r"a\\b\*\?", r"a\b*?", True, id="re keeps its escapes"),
        pytest.param("f|re", r"\d{3}", "a123", True, id="re digits"),
        pytest.param("f|re", ["x", "^12"], 123, True, id="re sees numbers as text"),
        pytest.param("f|re", "(a+)+$", "a" * 5000 + "!", False, id="re takes linear time"),
        pytest.param("f|cidr", "192.0.2.0/24", "192.0.2.77", True, id="cidr"),
        pytest.param("f|cidr", "192.0.2.0/24", "192.0.20.7", False, id="cidr is no prefix"),
        pytest.param("f|cidr", "192.0.2.0/24", "192.0.2.", False, id="cidr needs an address"),
        pytest.param("f|cidr", "192.0.2.0/24", "-", False, id="cidr of a dash"),
        pytest.param("f|cidr", "192.0.2.0/24", "::ffff:192.0.2.1", True, id="cidr of mapped v4"),
        pytest.param("f|cidr", "2001:db8::/32", "2001:DB8:0::1", True, id="cidr v6"),
        pytest.param("f|cidr", "fe80::/10", "fe80::1%eth0", True, id="cidr with a zone"),
        pytest.param("f|cidr", "fe80::/10", "fe8x", False, id="cidr of text"),
        pytest.param("f|cidr", ["10.0.0.0/8", "192.0.2.0/24"], "192.0.2.1", True, id="cidr list"),
        pytest.param("f|lt", 5, 4, True, id="lt"),
        pytest.param("f|lt", 5, 5, False, id="lt equal"),
        pytest.param("f|lte", 5, 5.0, True, id="lte"),
        pytest.param("f|gt", 5, "6", True, id="gt of text"),
        pytest.param("f|gt", 5, "10", True, id="gt is not of letters"),
        pytest.param("f|gte", 5.5, "5.50", True, id="gte of decimal text"),
        pytest.param("f|gt", 5, "0x10", False, id="gt of hexadecimal text"),
        pytest.param("f|gt", -5, "-4", True, id="gt of a negative"),
        pytest.param("f|gt", 5, "many", False, id="gt of words"),
        pytest.param("f|gt", 5, True, False, id="gt of true"),
        pytest.param("f|gt", 2**63, 2**63 + 1, True, id="gt of what no float holds"),
        pytest.param("f|neq", "a", "b", True, id="neq"),
        pytest.param("f|neq", "a", "A", False, id="neq equal"),
        pytest.param("f|neq", ["a", "b"], "b", False, id="neq means none of"),
        pytest.param("f|neq", 5, "5", False, id="neq number"),
        pytest.param("f|contains|neq", "b", "abc", False, id="neq contains"),
        pytest.param("f|minute", 30, "2026-03-01T22:30:15Z", True, id="minute"),
        pytest.param("f|hour", 22, "2026-03-01T22:30:15+05:00", True, id="hour as written"),
        pytest.param("f|hour", 17, "2026-03-01T22:30:15+05:00", False, id="hour in no other zone"),
        pytest.param("f|hour|gte", 22, "2026-03-01 22:30:15", True, id="hour and gte"),
        pytest.param("f|hour|lt", 22, "2026-03-01 22:30:15", False, id="hour and lt"),
        pytest.param("f|day", 1, "2026-03-01", True, id="day"),
        pytest.param("f|week", 9, "2026-03-01T22:30:15.123Z", True, id="week"),
        pytest.param("f|month", 3, "2026-03-01T22:30:15Z", True, id="month"),
        pytest.param("f|year", [2025, 2026], "2026-03-01T22:30:15Z", True, id="year"),
        pytest.param("f|year", 2026, "soon", False, id="year of no date"),
    ],
)
def test_a_modifier_matches(
    field: str, value: object, event_value: object, *, expected: bool, fires: Fires
) -> None:
    assert fires({field: value}, {"f": event_value}) is expected


@pytest.mark.parametrize(
    ("key", "event", "expected"),
    [
        pytest.param("a|fieldref", {"a": "X", "b": "x"}, True, id="equal"),
        pytest.param("a|fieldref", {"a": "x", "b": "y"}, False, id="different"),
        pytest.param("a|fieldref", {"a": "1", "b": 1}, True, id="number and text"),
        pytest.param("a|fieldref", {"a": "x"}, False, id="other missing"),
        pytest.param("a|fieldref", {"b": "x"}, False, id="field missing"),
        pytest.param("a|fieldref", {}, False, id="both missing"),
        pytest.param("a|fieldref", {"a": None, "b": None}, False, id="both null"),
        pytest.param("a|fieldref", {"a": ["p", "q"], "b": ["q", "r"]}, True, id="lists"),
        pytest.param("a|fieldref|startswith", {"a": "xyz", "b": "XY"}, True, id="startswith"),
        pytest.param("a|fieldref|startswith", {"a": "xyz", "b": "yz"}, False, id="starts not"),
        pytest.param("a|fieldref|endswith", {"a": "xyz", "b": "yz"}, True, id="endswith"),
        pytest.param("a|fieldref|contains", {"a": "xyz", "b": "y"}, True, id="contains"),
        pytest.param("a|fieldref|neq", {"a": "x", "b": "y"}, True, id="neq"),
        pytest.param("a|fieldref|neq", {"a": "x", "b": "x"}, False, id="neq equal"),
        pytest.param("a|fieldref|neq", {"a": "x"}, True, id="neq missing"),
    ],
)
def test_a_field_is_compared_with_another(
    key: str, event: dict[str, Any], *, expected: bool, fires: Fires
) -> None:
    assert fires({key: "b"}, event) is expected


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        pytest.param("a*c", "a\r\nb\nc", True, id="star spans lines"),
        pytest.param("a?c", "a\nc", True, id="question mark takes a line's end"),
        pytest.param("a?c", "ac", False, id="question mark takes one"),
        pytest.param("a?c", "a\U0001f600c", True, id="question mark takes a character"),
        pytest.param("a??c", "a\U0001f600c", False, id="not an octet"),
        pytest.param("*", "", True, id="star takes nothing"),
        pytest.param("?*", "", False, id="one or more"),
        pytest.param("***", "x", True, id="stars are one"),
        pytest.param(r"a\*c", "a*c", True, id="escaped star"),
        pytest.param(r"a\*c", "abc", False, id="escaped star is no wildcard"),
        pytest.param(r"a\?c", "a?c", True, id="escaped question mark"),
        pytest.param(r"a\\*c", "a\\bc", True, id="escaped backslash before a star"),
        pytest.param(r"a\\*c", "a*c", False, id="the star is one then"),
        pytest.param(r"a\\\*c", "a\\*c", True, id="backslash and star"),
        pytest.param(r"C:\Temp\x", "c:\\temp\\X", True, id="backslash before others"),
        pytest.param(r"\\\\host\\s", "\\\\host\\s", True, id="doubled backslashes"),
        pytest.param("a*.b*c", "A-.B-C", True, id="no expression: a point is a point"),
        pytest.param("a*.b*c", "a-xb-c", False, id="no expression: nothing else is"),
        pytest.param("ÄÖ", "äö", True, id="case beyond ASCII"),
        pytest.param("k*x", "\u212aax", True, id="kelvin sign is k in patterns"),
        pytest.param("k", "\u212a", True, id="kelvin sign is k"),
        pytest.param("straße", "STRASSE", False, id="sharp s is one letter"),
        pytest.param("straße", "STRAẞE", True, id="capital sharp s"),
    ],
)
def test_wildcards_and_escapes(pattern: str, text: str, *, expected: bool, fires: Fires) -> None:
    assert fires({"f": pattern}, {"f": text}) is expected


@pytest.mark.parametrize(
    ("keywords", "event", "expected"),
    [
        pytest.param(["foo"], {"a": "xFOOx"}, True, id="within a value"),
        pytest.param("foo", {"a": {"b": ["x", {"c": "foo"}]}}, True, id="at any depth"),
        pytest.param(["foo"], {"foo": "x"}, False, id="not in names of fields"),
        pytest.param(["foo", "bar"], {"a": "bar"}, True, id="any of them"),
        pytest.param([4625], {"a": 14625}, True, id="numbers as text"),
        pytest.param(["f*o"], {"a": "--foo--"}, True, id="wildcards"),
        pytest.param({"|all": ["foo", "bar"]}, {"a": "foo", "b": "bar"}, True, id="all"),
        pytest.param({"|all": ["foo", "bar"]}, {"a": "foo"}, False, id="not all"),
        pytest.param({"|cased": "Foo"}, {"a": "foo"}, False, id="cased"),
        pytest.param({"|re": "f[o]{2}$"}, {"a": "x foo"}, True, id="re"),
        pytest.param([{"a": "x"}, "foo"], {"b": "foo"}, True, id="keyword among maps"),
    ],
)
def test_keywords(keywords: object, event: dict[str, Any], *, expected: bool, fires: Fires) -> None:
    assert fires(keywords, event) is expected
