"""The report shows what its JSON says, draws it with numbers beside, and runs nothing."""

import json
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from soc.app import learning, studies, telling
from soc.app.suite import Suite
from soc.clock import SettableClock
from soc.report import story
from tests.conftest import NOON
from tests.intelligence.test_learning import ASKED, shown

Plain = dict[str, Any]


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


@pytest.fixture
def told(suite: Suite, clock: SettableClock) -> Plain:
    shown(suite)
    clock.moment = NOON + timedelta(days=2)
    learning.train(suite, ASKED, "user:ann")
    return telling.story(suite, timedelta(days=1), None, None, 0)


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
    assert len(pictures) == 3
    assert all(attrs["aria-label"] for attrs in pictures)
    assert "nan" not in text.lower().split()


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
