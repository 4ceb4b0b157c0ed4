"""An alert shows the text of its rule, with the lines that asked for what was there."""

from pathlib import Path

import pytest
import yaml

from soc.app.suite import Suite
from soc.content.folders import packaged
from soc.detect.sigma.source import Source, read_file
from soc.web import explain

RULE = packaged("rules") / "funding" / "qf-api-abuse.yml"


def alert(rule: str, *matched: tuple[str, str, str], digest: str = "") -> dict[str, object]:
    found = [dict(zip(("selection", "field", "value"), one, strict=True)) for one in matched]
    return {"rule": rule, "rule_digest": digest, "matched": found}


def test_the_line_of_a_field_is_marked_in_its_own_selection(suite: Suite) -> None:
    found = explain.written(
        suite, alert("qf-platform-request", ("request", "event.action", "request"))
    )

    assert found is not None
    marked = [(line.text.strip(), line.got) for line in found.lines if line.got]
    assert marked == [("event.action: request", "request")]
    assert found.lines[0].text == "title: Request to the funding platform"
    assert all("qf-api-abuse" not in line.text for line in found.lines)


def test_a_correlation_marks_what_it_groups_by(suite: Suite) -> None:
    found = explain.written(
        suite,
        alert("qf-api-abuse", ("event_count", "", "240"), ("group-by", "source.ip", "192.0.2.7")),
    )

    assert found is not None
    assert [(ln.text.strip(), ln.got) for ln in found.lines if ln.got] == [
        ("group-by: [source.ip]", "192.0.2.7")
    ]
    assert "Many donors behind" in found.falsepositives[1]
    assert found.response.startswith("Look at the paths")


@pytest.mark.parametrize("changed", [False, True])
def test_a_rule_that_was_changed_is_told(suite: Suite, *, changed: bool) -> None:
    digest = next(
        one.digest
        for one in read_file(RULE)
        if isinstance(one, Source) and one.plain["name"] == "qf-api-abuse"
    )

    found = explain.written(suite, alert("qf-api-abuse", digest="0" if changed else digest))

    assert found is not None
    assert found.same is not changed


def test_a_model_has_no_text(suite: Suite) -> None:
    assert explain.written(suite, alert("wallet-anomaly")) is None


def test_every_packaged_rule_is_found_by_its_slug(suite: Suite) -> None:
    slugs = {
        document["name"]
        for path in Path(packaged("rules")).rglob("*.yml")
        if not path.name.endswith(".test.yml")
        for document in yaml.safe_load_all(path.read_text())
        if document
    }
    lost = sorted(slug for slug in slugs if explain.written(suite, alert(slug)) is None)

    assert lost == []
