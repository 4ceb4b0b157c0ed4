"""A model is kept with its card, wins only if it is better, and scores people without touching them."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sklearn.dummy import DummyClassifier
from sqlmodel import Session, col, select
from typer.testing import CliRunner

from soc.app import learning, studies
from soc.app.learning import Question
from soc.app.suite import Suite
from soc.cli.main import app
from soc.clock import SettableClock
from soc.errors import Illegal, NotFound, Refused, Unfit
from soc.intelligence import registry
from soc.intelligence.view import keep
from soc.logs.filter import parse
from soc.logs.port import Search
from soc.model.value import rfc3339
from soc.store.session import Database, reading, session
from soc.store.tables import AuditRow, FileBody, Incident
from tests.conftest import NOON
from tests.intelligence.people import WINDOW, people

ASKED = Question(
    task="returns",
    window=WINDOW,
    moments=5,
    without=("suspicious_ratio", "rare_project_share"),
    models=("ridge",),
)
Plain = dict[str, Any]


def shown(suite: Suite, *, signal: bool = True) -> None:
    """Put a view of people into the home, as a build would."""
    view = people(signal=signal)
    tables = {name: getattr(view, name) for name in ("users", "transactions", "refused", "marks")}
    facts = {"made": rfc3339(NOON), "upto": {"0": 0}, "events": 1, "refused": {}, "code": "0"}
    keep.put(studies.folder_of(suite), {**tables, **view.gathered._asdict()}, facts)


@pytest.fixture
def learned(suite: Suite, clock: SettableClock) -> Plain:
    shown(suite)
    clock.moment = NOON + timedelta(days=2)
    return learning.train(suite, ASKED, "user:ann")


def acts(suite: Suite) -> list[str]:
    with reading(suite.database) as looking:
        rows = looking.exec(select(AuditRow)).all()
        return [f"{row.action} {row.object}" for row in rows if row.action.startswith("model.")]


def test_the_first_model_that_is_better_than_none_is_the_champion(
    suite: Suite, learned: Plain
) -> None:
    assert (learned["model"], learned["state"], learned["best"]) == (
        "returns/1",
        "champion",
        "ridge",
    )
    assert "there was none, and it is better than" in learned["reason"]
    assert learned["digest"].startswith("sha256:")
    assert (learned["seed"], learned["view"], learned["created_by"]) == (1, 1, "user:ann")
    assert acts(suite) == ["model.learn model:returns/1", "model.promote model:returns/1"]


def test_where_nothing_can_be_learned_no_model_is_used(suite: Suite) -> None:
    shown(suite, signal=False)
    made = learning.train(suite, ASKED, "user:ann")

    assert made["state"] == "challenger"
    assert "which needs no model" in made["reason"]
    with pytest.raises(NotFound, match="soc intelligence train"):
        learning.score(suite, "returns")


def test_a_challenger_is_judged_fairly_or_not_at_all(suite: Suite, learned: Plain) -> None:
    knew = learning.train(suite, replace(ASKED, seed=2), "user:ann")
    with session(suite.database) as writing:
        row = registry.named(writing, "returns/1")
        row.until = NOON
        writing.add(row)
    same = learning.train(suite, ASKED, "user:ann")
    other = learning.train(suite, replace(ASKED, without=(*ASKED.without, "tx_per_day")), "user:a")

    assert {one["state"] for one in (knew, same, other)} == {"challenger"}
    assert "returns/1 has learned from what it would be judged by" in knew["reason"]
    assert "it is not surely better than returns/1: ap" in same["reason"]
    assert "returns/1 answers another question" in other["reason"]


def kept(writing: Session) -> None:
    """Keep two models that know nothing: the first is the champion."""
    card = {
        "best": "dummy",
        "conclusion": "It was not judged.",
        "schema": "s",
        "task": {"name": "returns", "question": "Will they?"},
        "learned_until": "2026-11-23T12:00:00Z",
    }
    model = DummyClassifier().fit([[0], [1]], [0, 1])
    for _ in range(2):
        registry.put(writing, model, card, "user:ann", NOON)
    registry.promote(writing, registry.named(writing, "returns/1"), "first", "user:ann", NOON)


@pytest.fixture
def two(database: Database) -> Database:
    with session(database) as writing:
        kept(writing)
    return database


def test_promotion_and_rollback_are_acts_with_a_reason(two: Database) -> None:
    with session(two) as writing:
        second = registry.named(writing, "returns/2")
        registry.promote(writing, second, "fresher", "user:ben", NOON + timedelta(days=3))
        with pytest.raises(Illegal, match="returns/2 is the champion"):
            registry.promote(writing, second, "again", "user:ben", NOON)
    with session(two) as writing:
        back = registry.rollback(writing, "returns", "worse", "user:ben", NOON + timedelta(days=4))
        states = {registry.label(row): row.state for row in registry.listed(writing)}

        assert registry.label(back) == "returns/1"
        assert states == {"returns/1": "champion", "returns/2": "retired"}
        with pytest.raises(Illegal, match="value: no champion was there before"):
            registry.rollback(writing, "value", "r", "user:ben", NOON)
    with reading(two) as looking:
        rows = looking.exec(select(AuditRow).order_by(col(AuditRow.id))).all()
        told = [f"{row.action} {row.object}" for row in rows]
    assert told[-2:] == ["model.promote model:returns/2", "model.promote model:returns/1"]


def test_scores_are_events_that_act_on_nobody(suite: Suite, learned: Plain) -> None:
    made, again = learning.score(suite, "returns"), learning.score(suite, "returns")
    found = list(suite.reader.search(Search(parse("event.dataset:soc.score"), limit=1_000)))
    _, frame = studies.features(suite, None, None, 0)

    assert made["users"] == made["stored"] == frame.table.num_rows == len(found)
    assert (again["stored"], again["known"]) == (0, made["users"])
    assert {row["class"] for row in found} == {"ret-scores"}
    values = [json.loads(row["raw"])["soc"]["score"] for row in found]
    assert {one["model"] for one in values} == {"returns/1"}
    assert all(0 <= one["value"] <= 1 for one in values)
    assert len({one["value"] for one in values}) > 10
    suite.watch().tick()
    with reading(suite.database) as looking:
        assert looking.exec(select(Incident)).all() == []


def test_what_was_changed_or_is_of_another_kind_is_not_loaded(two: Database) -> None:
    with session(two) as writing:
        first = registry.named(writing, "returns/1")
        assert registry.load(writing, first).predict([[0]])[0] in {0, 1}
        strange = registry.put(writing, {"a": Path}, registry.card_of(first), "user:a", NOON)
        with pytest.raises(Refused, match="returns/3 holds what none of our models does"):
            registry.load(writing, strange)
        body = writing.get_one(FileBody, first.digest)
        body.body = body.body[:-1] + b"!"
        writing.add(body)
        writing.flush()
        with pytest.raises(Refused, match="returns/1 is no longer what was learned"):
            registry.load(writing, first)
        for name in ("returns/9", "returns", "returns/x", "value/1"):
            with pytest.raises(NotFound):
                registry.named(writing, name)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"without": ("nothing",)}, "--without: no feature nothing"),
        ({"models": ("oracle",)}, "--models: no oracle: known are lasso"),
    ],
)
def test_what_there_is_not_is_named(suite: Suite, change: Plain, said: str) -> None:
    shown(suite)
    with pytest.raises(Refused, match=said):
        learning.train(suite, replace(ASKED, **change), "user:ann")


def test_constant_features_are_named_with_what_to_do(suite: Suite) -> None:
    shown(suite)
    with pytest.raises(Unfit, match="constant columns: suspicious_ratio: leave them out"):
        learning.train(suite, replace(ASKED, without=()), "user:ann")


def test_commands_learn_choose_and_score(
    suite: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown(suite)
    home, out = ["--home", str(suite.home.path)], tmp_path / "card.json"

    def soc(*words: str) -> Any:
        return CliRunner().invoke(app, ["intelligence", *words, *home])

    left_out = [word for name in ASKED.without for word in ("--without", name)]
    told = soc(
        "train",
        "--window",
        "6h",
        "--moments",
        "5",
        "--models",
        "ridge",
        *left_out,
        "--out",
        str(out),
    )
    listed = soc("models", "--json")
    mute = soc("promote", "returns/1")
    scored = soc("score", "--json")

    assert "returns/1 is champion: there was none" in told.stdout
    assert json.loads(out.read_text())["format"] == "commonwatch.model-card/1"
    assert [one["model"] for one in json.loads(listed.stdout)] == ["returns/1"]
    assert json.loads(soc("model", "returns/1").stdout)["state"] == "champion"
    assert mute.exit_code == 1
    assert json.loads(scored.stdout)["stored"] > 100
