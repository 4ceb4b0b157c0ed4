"""The report shows what its JSON says, draws it with numbers beside, and runs nothing."""

import copy
import json
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from soc.app import experiments, learning, studies, telling
from soc.app.suite import Suite
from soc.clock import SettableClock
from soc.report import story
from tests import stores
from tests.conftest import NOON
from tests.intelligence.test_experiments import DESIGN
from tests.intelligence.test_learning import ASKED, shown

Plain = dict[str, Any]
FIGURE = {"value": 0.25, "low": 0.125, "high": 0.375}
EVENED = {
    "question": "Will a user give again?",
    "model": "ridge",
    "rows": 480,
    "yes": 36,
    "made": "2026-11-24T12:00:00Z",
    "ways": [
        {"way": "none", "figures": {"ap": FIGURE}, "gain": None, "problem": ""},
        {"way": "adasyn", "figures": {}, "gain": None, "problem": "too few of a class"},
    ],
    "advice": "Do nothing: no way of evening out gains average precision beyond chance.",
}
LOOK = {
    "arms": [{"arm": "default", "units": 401, "figure": FIGURE},
             {"arm": "recommended", "units": 399, "figure": FIGURE}],
    "comparisons": [{"arm": "recommended", "difference": FIGURE, "adjusted": 0.0421}],
    "conclusion": "recommended is better: share of units that gave +0.25 [+0.125, +0.375]",
}  # fmt: skip


class Seen(HTMLParser):
    """What a page has: elements by name, and the text of it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Plain:
    """The story of people with a model, an experiment that was looked at, and evened classes."""
    home = stores.home(tmp_path_factory.mktemp("story") / "home")
    suite = Suite(home.path, SettableClock(NOON))
    shown(suite)
    suite.clock.moment = NOON + timedelta(days=2)  # type: ignore[misc]
    learning.train(suite, ASKED, "user:ann")
    experiments.create(suite, DESIGN, "user:ann")
    telling.keep_evened(suite, "returns", EVENED)
    told = telling.story(suite, timedelta(days=1), None, None, 0)
    suite.database.dispose()
    return told


@pytest.fixture
def told(made: Plain) -> Plain:
    return copy.deepcopy(made)


def test_the_story_is_written_as_json_and_as_a_page(told: Plain, tmp_path: Path) -> None:
    written = story.write(told, tmp_path / "out")
    page = Seen((tmp_path / "out" / "story.html").read_text())
    text = " ".join(" ".join(page.words).split())

    assert [path.name for path in written] == ["story.html", "story.json"]
    assert json.loads(written[1].read_bytes()) == json.loads(json.dumps(told, default=str))
    for sentence in story.sentences(told):
        assert " ".join(sentence.split()) in text
    assert "returns/1 is champion" in text
    assert all(f"{one['title']}" in text for one in told["kpis"])
    assert not [tag for tag, _ in page.tags if tag in {"script", "iframe", "img", "link"}]
    pictures = [attrs for tag, attrs in page.tags if tag == "svg" and attrs.get("role")]
    assert len(pictures) == 5
    assert all(attrs["aria-label"] for attrs in pictures)
    assert "nan" not in text.lower().split()


def text_of(told: Plain) -> str:
    page = Seen(story.files(told)["story.html"].decode())
    return " ".join(" ".join(page.words).split())


def test_groups_tastes_and_pairs_are_told_with_what_chance_reaches(told: Plain) -> None:
    clusters, pairs, text = told["clusters"], told["associations"], text_of(told)

    assert clusters["left_out"]["rare_project_share"] == "constant"
    assert "rare_project_share (constant)" in text
    assert f"Groups of users: {clusters['verdict']}." in story.sentences(told)
    assert {one["cluster"] for one in clusters["points"]} == (
        set(range(clusters["k"])) if clusters["found"] else {None}
    )
    assert len(clusters["points"]) == clusters["users"] == 120
    assert f"{len(pairs['pairs'])} of {pairs['asked']} pairs of projects have" in text
    assert "All wallets, near-duplicates: " in text
    assert told["recommender"]["graded"][0]["group"] == "all wallets"


def test_experiments_show_their_last_look_and_evened_classes_their_advice(told: Plain) -> None:
    waiting = text_of(told)
    told["experiments"][0]["taken"] = [{"shown": LOOK}]
    text = text_of(told)

    assert "Does it help?" in waiting
    assert "No look was taken yet." in waiting
    assert "Recommended is better: share of units" in text
    assert "0.0421" in text
    assert EVENED["advice"] in story.sentences(told)
    assert "too few of a class" in text


def test_figures_are_followed_over_windows_and_compared_with_the_last_one(told: Plain) -> None:
    slugs = [one["kpi"] for one in told["kpis"]]

    assert [one["kpi"] for one in told["trends"]] == slugs
    assert [one["kpi"] for one in told["changes"]] == slugs
    for trend, last in zip(told["trends"], told["kpis"], strict=True):
        assert len(trend["points"]) == telling.WINDOWS
        assert trend["points"][-1]["value"] == last["value"]
        ends = [(one["since"], one["until"]) for one in trend["points"]]
        assert [until for _, until in ends[:-1]] == [since for since, _ in ends[1:]]
    assert "No data" in text_of(told)


def test_a_part_that_data_do_not_carry_says_why(told: Plain) -> None:
    for part in ("clusters", "recommender", "associations"):
        told[part] = {"unfit": "too few users: 3; at least 50 are needed"}

    assert text_of(told).count("Not told: too few users: 3; at least 50 are needed.") == 3
    assert "Groups of users: too few users: 3; at least 50 are needed." in story.sentences(told)


def test_the_same_data_give_the_same_bytes(told: Plain) -> None:
    assert story.files(told) == story.files(json.loads(json.dumps(told)))


def test_names_from_events_stay_text(told: Plain) -> None:
    told["data"]["currency"] = "1:<script>alert(1)</script>"
    page = Seen(story.files(told)["story.html"].decode())

    assert "script" not in {tag for tag, _ in page.tags}


def test_without_a_model_it_says_what_to_do(suite: Suite) -> None:
    shown(suite)
    suite.clock.moment = NOON + timedelta(days=2)  # type: ignore[misc]
    told = telling.story(suite, timedelta(days=30), None, None, 0)

    assert "No model was learned yet: soc intelligence train." in story.sentences(told)
    assert "There is no window before to compare with." in story.sentences(told)
    assert b"None was learned yet." in story.files(told)["story.html"]
    assert studies.view(suite).manifest.version == told["view"]["version"]
