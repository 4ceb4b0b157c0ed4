"""The layer is of the published format, and its scores are shares of proof."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from soc.detect.sigma.navigator import Covered, Standing, covered_by, layer
from soc.detect.sigma.rule import About

PROVEN, FAILING, UNTESTED = Standing.PROVEN, Standing.FAILING, Standing.UNTESTED
TEXT, NUMBER, BOOLEAN = {"type": "string"}, {"type": "number"}, {"type": "boolean"}
COLOUR = {"type": "string", "pattern": "^#[0-9a-fA-F]{6}$"}


def thing(required: list[str], **properties: Any) -> dict[str, Any]:
    closed = {"type": "object", "additionalProperties": False}
    return {**closed, "required": required, "properties": properties}


def list_of(one: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": one}


DIVIDER = thing(["divider"], divider=BOOLEAN)
METADATA = list_of({"anyOf": [thing(["name", "value"], name=TEXT, value=TEXT), DIVIDER]})
LINKS = list_of({"anyOf": [thing(["label", "url"], label=TEXT, url=TEXT), DIVIDER]})
FORMAT = thing(
    ["name", "domain"],
    name=TEXT,
    versions=thing(
        ["navigator", "layer"], attack=TEXT, navigator={"const": "5.2.0"}, layer={"const": "4.5"}
    ),
    description=TEXT,
    domain={"enum": ["enterprise-attack", "mobile-attack", "ics-attack"]},
    customDataURL=TEXT,
    filters=thing([], platforms=list_of(TEXT)),
    sorting={"enum": [0, 1, 2, 3]},
    layout=thing(
        [],
        layout={"enum": ["side", "flat", "mini"]},
        showID=BOOLEAN,
        showName=BOOLEAN,
        showAggregateScores=BOOLEAN,
        countUnscored=BOOLEAN,
        aggregateFunction={"enum": ["average", "min", "max", "sum"]},
        expandedSubtechniques={"enum": ["none", "all", "annotated"]},
    ),
    hideDisabled=BOOLEAN,
    techniques=list_of(
        thing(
            ["techniqueID"],
            techniqueID={"type": "string", "pattern": r"^T\d{4}(\.\d{3})?$"},
            tactic=TEXT,
            comment=TEXT,
            enabled=BOOLEAN,
            score=NUMBER,
            color=COLOUR,
            metadata=METADATA,
            links=LINKS,
            showSubtechniques=BOOLEAN,
        )
    ),
    gradient=thing(
        ["colors", "minValue", "maxValue"],
        colors={**list_of(COLOUR), "minItems": 2},
        minValue=NUMBER,
        maxValue=NUMBER,
    ),
    legendItems=list_of(thing(["label", "color"], label=TEXT, color=COLOUR)),
    showTacticRowBackground=BOOLEAN,
    tacticRowBackground=COLOUR,
    selectTechniquesAcrossTactics=BOOLEAN,
    selectSubtechniquesWithParent=BOOLEAN,
    selectVisibleTechniques=BOOLEAN,
    metadata=METADATA,
    links=LINKS,
)
"""The property tables of layers/spec/v4.5/layerformat.md."""


def about(name: str, *tags: str) -> About:
    words = {"id": "", "title": name, "level": "", "status": "", "author": "", "licence": ""}
    return About(name=name, tags=tags, digest="", path=Path("a.yml"), line=1, **words)


@pytest.mark.parametrize(
    ("standings", "score"),
    [
        ([PROVEN], 100),
        ([PROVEN] * 9, 100),
        ([FAILING] * 9, 0),
        ([PROVEN, UNTESTED], 50),
        ([PROVEN, Standing.DISABLED, Standing.MONITOR], 33),
        ([PROVEN] * 199 + [FAILING], 99),
    ],
)
def test_a_score_is_a_share_of_proof_and_no_count(standings: list[Standing], score: int) -> None:
    rules = {f"r{number}": standing for number, standing in enumerate(standings)}

    assert Covered("T1110", rules).score == score


def test_a_layer_is_of_the_published_format() -> None:
    given = [about("a", "attack.t1110.001", "aadapt.adt3001"), about("b", "attack.t1110")]

    made = layer(covered_by(given, {"a": PROVEN, "b": UNTESTED}))

    assert list(Draft202012Validator(FORMAT).iter_errors(json.loads(json.dumps(made)))) == []
    assert [(one["techniqueID"], one["score"], one["comment"]) for one in made["techniques"]] == [
        ("T1110", 0, "b (untested)"),
        ("T1110.001", 100, "a"),
    ]
    assert made["metadata"] == [{"name": "AADAPT ADT3001", "value": "100: a"}]


def test_rules_of_one_technique_stand_together_and_are_named() -> None:
    given = [about("b", "attack.T1110"), about("a", "attack.t1110", "attack.impact")]

    (one,) = covered_by(given, {"a": FAILING, "b": PROVEN})

    assert (one.technique, one.score, one.words) == ("T1110", 50, "a (failing), b")


def test_what_is_only_counted_covers_nothing() -> None:
    assert covered_by([about("a", "attack.t1110")], {}) == []


def test_a_technique_that_there_is_not_is_in_no_layer() -> None:
    covered = covered_by([about("a", "attack.t9999")], {"a": PROVEN})

    assert [one.technique for one in covered] == ["T9999"]
    assert layer(covered)["techniques"] == []
