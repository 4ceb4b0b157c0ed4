"""Rules said as queries of OpenSearch; what cannot be said is told, and stops nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from soc.cli.main import app
from soc.detect.sigma.convert import Converted, convert
from soc.detect.sigma.load import load_rules

RULE = """\
title: T
name: {name}
id: 6f1c9a04-7d0b-4b53-9b0e-0a5f0a4f1b{number}
status: test
logsource: {source}
detection:
  one: {detection}
  condition: one
level: low
"""


def query_of(tmp_path: Path, source: str, detection: str = "{a: b}") -> Converted:
    path = tmp_path / "rule.yml"
    path.write_text(RULE.format(name="r", number=11, source=source, detection=detection))
    (one,) = convert(load_rules([path]))
    assert isinstance(one, Converted), one
    return one


@pytest.mark.parametrize(
    ("source", "origin"),
    [
        ("{product: shop, service: audit}", "event.dataset:shop.audit"),
        ("{product: shop}", "event.dataset:(shop.* OR shop)"),
        ("{service: audit}", "event.dataset:*.audit"),
        ("{category: webserver}", 'event.dataset:("nginx.access" OR "platform.access")'),
        ("{product: windows, service: security}", 'Channel:"Security" AND (a:b)'),
        ("{product: windows, category: process_creation}", 'EventID:"1" AND'),
        ("{product: windows}", "_exists_:Channel OR event.dataset:windows.*"),
    ],
)
def test_a_query_asks_for_the_log_source_too(tmp_path: Path, source: str, origin: str) -> None:
    assert origin in query_of(tmp_path, source).query


def test_what_the_backend_refuses_is_a_problem_of_that_rule_alone(tmp_path: Path) -> None:
    one = query_of(tmp_path, "{product: shop}", "{a|fieldref: b}")

    assert not one.query
    assert one.problem


def soc(*words: str) -> Any:
    return CliRunner().invoke(app, ["rules", "convert", *words])


def test_correlations_are_told_and_the_rest_is_converted(home: Path) -> None:
    said = soc("--home", str(home), "--json")

    assert said.exit_code == 0
    result = json.loads(said.stdout)
    assert "qf-failed-login" in {one["rule"] for one in result["rules"]}
    assert "qf-admin-bruteforce" in {one["rule"] for one in result["problems"]}
    assert "qf-admin-bruteforce: a correlation counts" in said.stderr


def test_one_rule_is_named_by_slug_or_uuid(home: Path) -> None:
    by = [
        soc(word, "--format", "dsl", "--json", "--home", str(home)).stdout
        for word in ("web-path-traversal", "6f1c9a04-7d0b-4b53-9b0e-0a5f0a4f1c01")
    ]

    assert by[0] == by[1]
    (one,) = json.loads(by[0])["rules"]
    assert "query_string" in one["query"]["query"]["bool"]["filter"][0]
