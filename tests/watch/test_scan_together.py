"""Correlations in scans of files."""

import json
from pathlib import Path
from typing import Any

import pytest

from soc.watch.scan import scan

RULES = """\
title: Failure
name: failure
logsource: {product: shop}
detection: {it: {do: fail}, condition: it}
---
title: Many failures
id: 1c6b5f0e-63f6-4d6b-8a0e-2f6f0f1f7d44
level: high
name: many
correlation: {type: event_count, rules: [failure], group-by: [user], timespan: 5m, condition: {gte: 2}}
---
title: Much money
name: much
correlation:
  {type: value_sum, rules: [failure], group-by: [user], timespan: 5m, condition: {gt: 9, field: n}}
"""


def write(folder: Path, name: str, *documents: dict[str, Any]) -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(document) + "\n" for document in documents))
    return path


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    (tmp_path / "rules.yml").write_text(RULES)
    return tmp_path / "rules.yml"


def at(minute: int, **more: Any) -> dict[str, Any]:
    return {"@timestamp": f"2026-03-01T10:{minute:02}:00Z", "do": "fail", **more}


def test_files_are_correlated_together_in_the_order_of_time(rules: Path, tmp_path: Path) -> None:
    later = write(tmp_path, "a.ndjson", at(9, user="x"), at(4, user="x"))
    earlier = write(tmp_path, "b.ndjson", at(0, user="x"), at(0, user="y"))

    scanned = scan([rules], [later, earlier], [])
    hits = [one for one in scanned if one["rule_title"] == "Many failures"]

    assert [(Path(one["file"]).name, one["line"]) for one in hits] == [
        ("a.ndjson", 2),
        ("a.ndjson", 1),
    ]
    assert hits[0] == {
        "rule_id": "1c6b5f0e-63f6-4d6b-8a0e-2f6f0f1f7d44",
        "rule_title": "Many failures",
        "level": "high",
        "file": str(later),
        "line": 2,
        "timestamp": "2026-03-01T10:04:00Z",
        "matched": [
            {"selection": "group-by", "field": "user", "value": "x"},
            {"selection": "event_count", "field": "events", "value": "2"},
        ],
    }


def test_what_cannot_be_correlated_is_a_failure(rules: Path, tmp_path: Path) -> None:
    events = write(tmp_path, "a.ndjson", {"do": "fail", "user": "x"}, at(0, user="x", n="much"))

    scanned = scan([rules], [events], [])
    hits = list(scanned)
    summary = scanned.summary()

    assert hits == []
    assert [one["line"] for one in summary["events_failed_at"]] == [1, 2]
    assert "no time" in summary["events_failed_at"][0]["reason"]
    assert "n is no number" in summary["events_failed_at"][1]["reason"]
    assert (summary["hits"], summary["rules_hit"], summary["hits_left_out"]) == (0, 0, 0)


def test_rules_that_are_only_counted_are_silent(rules: Path, tmp_path: Path) -> None:
    events = write(tmp_path, "a.ndjson", at(0, user="x"), at(1, user="x"))

    scanned = scan([rules], [events], [])

    assert [one["rule_title"] for one in scanned] == ["Many failures"]
    assert scanned.summary()["rules_hit"] == 1
