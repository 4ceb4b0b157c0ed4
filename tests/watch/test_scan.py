"""Scans of files, as ``soc scan`` does them."""

import gzip
import io
import json
import os
import tarfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
import zstandard

from soc.detect.sigma.event import Event
from soc.detect.sigma.load import load_rules
from soc.errors import Refused
from soc.ingest.parsers.evtx import read_evtx
from soc.watch.scan import scan

RULE = """\
title: Needle
id: 1c6b5f0e-63f6-4d6b-8a0e-2f6f0f1f7d33
level: high
logsource: {product: shop}
detection: {hay: {f|contains: needle}, condition: hay}
"""
EVENT = {"@timestamp": "2026-03-01T10:00:00+02:00", "f": "a Needle"}


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "needle.yml").write_text(RULE)
    (folder / "broken.yml").write_text("title: [")
    return folder


def lines(*documents: object) -> bytes:
    return b"".join(json.dumps(document).encode() + b"\n" for document in documents)


def test_a_hit_is_told_with_its_place(rules: Path, tmp_path: Path) -> None:
    events = tmp_path / "events.ndjson"
    events.write_bytes(lines({"f": "x"}) + b"\n" + lines(EVENT))

    scanned = scan([rules], [events], [])

    assert list(scanned) == [
        {
            "rule_id": "1c6b5f0e-63f6-4d6b-8a0e-2f6f0f1f7d33",
            "rule_title": "Needle",
            "level": "high",
            "file": str(events),
            "line": 3,
            "timestamp": "2026-03-01T08:00:00Z",
            "matched": [{"selection": "hay", "field": "f", "value": "a Needle"}],
        }
    ]


def test_the_summary_counts_everything(rules: Path, tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    events.write_bytes(lines(EVENT, EVENT, {"f": 1}) + b"[1]\nno\n\xff\n")

    scanned = scan([rules], [events])
    hits = list(scanned)
    summary = scanned.summary()

    assert len(hits) == 2
    assert list(summary)[:2] == ["events", "events_failed"]
    assert summary["events"] == 3
    assert summary["events_failed"] == 3
    assert [one["line"] for one in summary["events_failed_at"]] == [4, 5, 6]
    assert (summary["rules_loaded"], summary["hits"], summary["rules_hit"]) == (1, 2, 1)
    assert [(Path(one["path"]).name, one["line"]) for one in summary["rules_failed"]] == [
        ("broken.yml", 2)
    ]
    assert summary["pipelines"] == ["sysmon", "windows-logsources"]
    assert summary["cpu_seconds"] >= 0
    assert summary["wall_seconds"] >= 0
    assert summary["peak_rss_mb"] > 1


def test_hits_that_are_not_told_are_counted_all_the_same(rules: Path, tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    events.write_bytes(lines(EVENT, EVENT, {"f": 1}))
    scanned = scan([rules], [events])

    scanned.count()

    assert list(scanned) == []
    assert (scanned.summary()["hits"], scanned.summary()["rules_hit"]) == (2, 1)


def as_zst(octets: bytes) -> bytes:
    """Return two frames, as of two files that were joined."""
    half = octets.index(b"\n") + 1
    packer = zstandard.ZstdCompressor()
    return packer.compress(octets[:half]) + packer.compress(octets[half:])


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        pytest.param("a.jsonl.zst", as_zst(lines(EVENT, EVENT)), [1, 2], id="zst"),
        pytest.param("a.ndjson.gz", gzip.compress(lines(EVENT)), [1], id="gz"),
        pytest.param("a.json", json.dumps([{"f": 1}, EVENT]).encode(), [2], id="array"),
        pytest.param("a.json", json.dumps([EVENT, 7], indent=2).encode(), [1], id="long array"),
        pytest.param("a.json", json.dumps(EVENT, indent=2).encode(), [1], id="one object"),
        pytest.param("a.json", b"{\n" + lines(EVENT), [2], id="broken first line"),
        pytest.param("a.log", lines(EVENT), [1], id="another ending"),
        pytest.param("a.json", b"\xef\xbb\xbf" + lines(EVENT), [1], id="byte order mark"),
        pytest.param("a.json", lines(EVENT).rstrip(), [1], id="no end of line"),
        pytest.param("a.json", b"", [], id="empty"),
    ],
)
def test_forms_of_files(
    name: str, content: bytes, expected: list[int], rules: Path, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)

    assert [hit["line"] for hit in scan([rules], [tmp_path / name])] == expected


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("a.evtx", b"no event log", id="evtx"),
        pytest.param("a.json.zst", as_zst(lines(EVENT, EVENT))[:-3], id="cut short"),
        pytest.param("a.json.gz", b"no gzip", id="gz"),
    ],
)
def test_a_file_that_cannot_be_read_is_reported_and_stops_nothing(
    name: str, content: bytes, rules: Path, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "z.json").write_bytes(lines(EVENT))

    scanned = scan([rules], [tmp_path / name, tmp_path / "z.json"])

    assert str(tmp_path / "z.json") in [hit["file"] for hit in scanned]
    assert [one["file"] for one in scanned.summary()["events_failed_at"]] == [str(tmp_path / name)]


def test_a_folder_is_read_in_order(rules: Path, tmp_path: Path) -> None:
    for name in ("b/x.json", "a/y.ndjson.gz", "a/readme.txt"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        octets = lines(EVENT)
        (tmp_path / "in" / name).write_bytes(gzip.compress(octets) if "gz" in name else octets)

    files = [Path(hit["file"]).name for hit in scan([rules], [tmp_path / "in"])]

    assert files == ["y.ndjson.gz", "x.json"]


def test_events_with_elements_are_scanned_flat(rules: Path, tmp_path: Path) -> None:
    (rules / "windows.yml").write_text(RULE.replace("shop", "windows").replace("7d33", "7d34"))
    system = {"Channel": "Security", "EventID": 1}
    nested = {"Event": {"System": system, "EventData": {"f": "needle"}}}
    (tmp_path / "a.json").write_bytes(lines(nested))

    assert [hit["timestamp"] for hit in scan([rules], [tmp_path / "a.json"])] == [None]


def test_a_missing_path_is_refused(rules: Path, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="there is no file or folder"):
        scan([rules], [tmp_path / "missing"])


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return files of TEST_DATA by name; archives are unpacked first."""
    data = Path(os.environ.get("TEST_DATA", ""))
    unpacked: dict[str, Path] = {}

    def find(name: str) -> Path:
        if not os.environ.get("TEST_DATA") or not (data / name).exists():
            pytest.skip(f"needs {name} in the folder TEST_DATA")
        if ".tar." not in name:
            return data / name
        if name not in unpacked:
            unpacked[name] = tmp_path_factory.mktemp("data")
            octets = zstandard.ZstdDecompressor().stream_reader((data / name).read_bytes())
            with tarfile.open(fileobj=io.BytesIO(octets.read()), mode="r:") as archive:
                archive.extractall(unpacked[name], filter="data")
        return unpacked[name]

    return find


def regressions(folder: Path) -> list[tuple[set[str], Path]]:
    """Return the ids of rules, each with the file of events that must make them fire."""
    pairs: list[tuple[set[str], Path]] = []
    for info in sorted(folder.rglob("info.yml")):
        described: dict[str, Any] = yaml.safe_load(info.read_text())
        ids = {rule["id"] for rule in described["rule_metadata"]}
        tests = described.get("regression_tests_info") or []
        pairs += [(ids, folder / test["path"]) for test in tests]
    return pairs


def test_each_public_rule_fires_on_the_events_it_was_made_for(
    shared: Callable[[str], Path],
) -> None:
    rules, pairs = (
        shared("sigmahq_rules.tar.zst"),
        regressions(shared("sigmahq_regression_data.tar.zst")),
    )
    fired = {(hit["file"], hit["rule_id"]) for hit in scan([rules], [path for _, path in pairs])}

    missed = [str(path) for ids, path in pairs if not any((str(path), one) in fired for one in ids)]
    assert len(pairs) >= 202
    assert missed == []


def test_records_of_the_event_log_are_numbered(shared: Callable[[str], Path]) -> None:
    _, path = regressions(shared("sigmahq_regression_data.tar.zst"))[0]

    number, document = next(read_evtx(path))

    assert number == 1
    assert isinstance(document, dict)
    assert {"EventID", "Channel", "SystemTime", "Provider_Name"} <= document.keys()


@pytest.mark.trial
def test_public_rules_hit_public_events_as_other_engines_do(
    shared: Callable[[str], Path],
) -> None:
    folder = shared("sigmahq_rules.tar.zst")
    names = ("rules/windows", "rules-emerging-threats", "rules-threat-hunting")
    scanned = scan([folder / name for name in names], [shared("otrf_100k.jsonl.zst")])

    hits = Counter(hit["rule_id"] for hit in scanned)

    print(scanned.summary() | {"rules_failed": len(scanned.summary()["rules_failed"])})
    assert (hits.total(), len(hits)) == (736, 38)


@pytest.mark.trial
@pytest.mark.timeout(600)
def test_rules_together_say_of_public_events_what_they_say_alone(
    shared: Callable[[str], Path],
) -> None:
    """One event of fifty, and every event that has a hit, is shown to its rules one by one."""
    folder = shared("sigmahq_rules.tar.zst")
    ruleset = load_rules([folder / name for name in ("rules", "rules-emerging-threats")])
    with zstandard.open(shared("otrf_100k.jsonl.zst"), "rb") as file:
        lines = [line for line in io.BytesIO(file.read()) if line.strip()]
    documents = list(map(orjson.loads, lines))
    outcomes = [
        outcome
        for begin in range(0, len(lines), 1_000)
        for outcome in ruleset.match_all(
            documents[begin : begin + 1_000], lines[begin : begin + 1_000]
        )
    ]

    compared = hits = 0
    for number, (document, outcome) in enumerate(zip(documents, outcomes, strict=True)):
        found = [hit.rule.name for hit in outcome.hits]
        if found or number % 50 == 0:
            alone = [hit.rule.name for hit in ruleset.plainly(Event(document)).hits]
            assert (number, found) == (number, alone)
            compared, hits = compared + 1, hits + len(found)
    assert compared > 2_000
    assert hits > 300
