"""Lists are read whole or not at all, and each mistake has its line."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc.errors import ContentError
from soc.intelligence.indicator import Kind
from soc.intelligence.reading import MOST, read
from soc.intelligence.stix import values_of

FILE = Path("feed")
WALLET = "0x" + "Ab" * 20
HEAD = "kind,value,confidence,expires,label\n"


def told(text: str | bytes) -> list[str]:
    data = text.encode() if isinstance(text, str) else text
    with pytest.raises(ContentError) as raised:
        read(FILE, data)
    return [str(problem) for problem in raised.value.problems]


def test_a_csv_file_is_read_and_spelled_one_way() -> None:
    text = f"""value,kind,label,confidence,expires
{WALLET},wallet,"mixer, old",0.5,2027-01-31
eip155:10:{WALLET},wallet,,,
""".replace(f"eip155:10:{WALLET}", "eip155:10:0x" + "cd" * 20)
    text += "2001:DB8::0/32,ip,,,\n192.0.2.7/32,ip,,,\nGrants.Example.,domain,,1,\nEve,account,,,\n"

    found = {(e.kind, e.value): e for e in read(FILE, text.encode())}

    assert set(found) == {
        (Kind.WALLET, WALLET.lower()),
        (Kind.WALLET, "0x" + "cd" * 20),
        (Kind.IP, "2001:db8::/32"),
        (Kind.IP, "192.0.2.7"),
        (Kind.DOMAIN, "grants.example"),
        (Kind.ACCOUNT, "Eve"),
    }
    first = found[Kind.WALLET, WALLET.lower()]
    assert (first.confidence, first.label) == (0.5, "mixer, old")
    assert f"{first.expires:%Y-%m-%d %H:%M %Z}" == "2027-01-31 00:00 UTC"


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (f"walet,{WALLET},,,", "feed:3: kind: did you mean 'wallet'?"),
        ("wallet,0x12,,,", "feed:3: value: write 0x and 40 hexadecimal digits, or eip155:1:0x…"),
        ("ip,192.0.2.9/24,,,", "feed:3: value: it has bits beyond its prefix: write 192.0.2.0/24"),
        ("ip,300.1.1.1,,,", "feed:3: value: write an address such as 192.0.2.7, or a network"),
        (
            "domain,not a domain,,,",
            "feed:3: value: write a domain such as grants.example, in ASCII",
        ),
        ("account,eve,2,,", "feed:3: confidence: Input should be less than or equal to 1"),
        ("account,eve,nan,,", "feed:3: confidence: Input should be a finite number"),
        ("account,eve,x,,", "feed:3: confidence: x: write a number from 0 to 1"),
        ("account,eve,,soon,", "feed:3: expires: soon: write a moment such as 2027-01-31"),
        ("account,eve", "feed:3: 2 cells under 5 columns: quote commas in values"),
        ("account,bob,,,", "feed:3: bob is in line 2, too"),
        ("account,,,,", "feed:3: value: Field required"),
        ("hash,12,,,", "feed:3: value: write an MD5, SHA-1 or SHA-256 in hexadecimal digits"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_read(row: str, line: str) -> None:
    assert told(f"{HEAD}account,bob,,,\n{row}\naccount,eve2,,,\n") == [line]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the head line has no kind"),
        (HEAD, "no entry is in it"),
        ("kind,value,color\n", "unknown column 'color'"),
        ("kind,value,kind\n", "a column is there twice"),
        (b"kind,value\nip,\xff\n", "feed:2: not UTF-8"),
        ('kind,value\nip,"192.0.2.7\n', "not CSV"),
        ("{", "not JSON"),
        ('{"type": "report"}', "not a STIX bundle"),
        (
            "kind,value\n" + "".join(f"account,a{n}\n" for n in range(MOST + 1)),
            f"over {MOST} entries",
        ),
    ],
)
def test_a_file_that_is_no_list_is_refused(text: str | bytes, words: str) -> None:
    (line,) = told(text)

    assert words in line


def bundle(*patterns: str, **more: object) -> bytes:
    objects: list[dict[str, object]] = [{"type": "identity", "id": "identity--1", "name": "x"}]
    objects += [
        {"type": "indicator", "id": f"indicator--{n}", "pattern_type": "stix", "pattern": p, **more}
        for n, p in enumerate(patterns)
    ]
    return json.dumps({"type": "bundle", "id": "bundle--1", "objects": objects}, indent=1).encode()


def test_a_stix_bundle_is_read() -> None:
    data = bundle(
        "[ipv4-addr:value = '192.0.2.7'] OR [ipv6-addr:value='2001:db8::1']",
        "[ipv4-addr:value ISSUBSET '198.51.100.0/24' OR domain-name:value = 'Bad.example']",
        "[file:hashes.'SHA-256' = '" + "AB" * 32 + "']",
        f"[cryptocurrency-wallet:value = '{WALLET}']",
        r"[user-account:account_login = 'o\'hara']",
        "[url:value = 'https://bad.example/x']",
        "[ipv4-addr:value = '192.0.2.7']",
        confidence=80,
        name="seen before",
        valid_until="2027-01-31T00:00:00Z",
    )

    found = read(FILE, data)

    assert [(e.kind.value, e.value) for e in found] == [
        ("account", "o'hara"),
        ("domain", "bad.example"),
        ("hash", "ab" * 32),
        ("ip", "192.0.2.7"),
        ("ip", "198.51.100.0/24"),
        ("ip", "2001:db8::1"),
        ("url", "https://bad.example/x"),
        ("wallet", WALLET.lower()),
    ]
    assert {(e.confidence, e.label, e.expires is not None) for e in found} == {
        (0.8, "seen before", True)
    }
    assert read(FILE, bundle("[ipv4-addr:value = '192.0.2.7']"))[0].confidence == 1.0


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("[ipv4-addr:value = '1.2.3.4' AND domain-name:value = 'a.example']", "AND"),
        ("[ipv4-addr:value = '1.2.3.4'] WITHIN 5 SECONDS", "WITHIN"),
        ("[ipv4-addr:value = '1.2.3.4'] FOLLOWEDBY [url:value = 'x']", "FOLLOWEDBY"),
        ("[ipv4-addr:value LIKE '1.%']", "LIKE is not understood"),
        ("[ipv4-addr:value IN ('1.2.3.4')]", "IN after ipv4-addr:value: write ="),
        ("[domain-name:value ISSUBSET 'a.example']", "ISSUBSET after domain-name:value"),
        ("[process:name = 'x']", "process:name is not looked for"),
        ("[ipv4-addr:value = 5]", "5]"),
        ("[ipv4-addr:value = '1.2.3.4'", "its end cannot stand there"),
        ("ipv4-addr:value = '1.2.3.4'", "a pattern begins with ["),
        ("[ipv4-addr:value = 'x']", "value: write an address"),
        ("", "pattern is missing"),
    ],
)
def test_a_pattern_that_a_list_cannot_say_is_named_with_its_line(pattern: str, words: str) -> None:
    (line,) = told(bundle("[url:value = 'https://a.example']", pattern))

    place, number, message = line.split(":", 2)
    assert place == "feed"
    assert words in message
    assert (
        bundle("[url:value = 'https://a.example']", pattern)
        .decode()
        .split("\n")[int(number) - 1]
        .strip()
        == '"id": "indicator--1",'
    )


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader_of_patterns(text: str) -> None:
    try:
        values_of(text)
    except ValueError:
        return
    assert text.strip().startswith("[")


@given(st.binary(max_size=300))
def test_no_octets_break_the_reader_of_files(data: bytes) -> None:
    try:
        told = read(FILE, data)
    except ContentError as wrong:
        told = wrong.problems
    assert told
