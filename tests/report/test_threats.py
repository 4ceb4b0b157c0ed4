"""Reports as files: escaped, closed in themselves, readable without eyes."""

import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
import rfc8785

from soc.content.folders import packaged
from soc.report.render import in_markdown
from soc.report.threats import files
from soc.threats.assess import assess
from soc.threats.evidence.kinds import described, resolvers
from soc.threats.evidence.look import Observation
from soc.threats.model import Evidence, Known, read

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
HOSTILE = (
    "<script>alert(1)</script> | [x](javascript:y) **b** `c` http://evil.example a@b.example\n# h"
)


class Reader(HTMLParser):
    """Collects every tag with its attributes, and checks that they close."""

    VOID = frozenset({"meta", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def written() -> dict[str, bytes]:
    """Return the report on the packaged model, with a hostile word wherever one may come from."""
    kinds = described(resolvers())
    model = read(packaged("threat_model") / "qf.yml", Known(kinds))
    risk = model.risks[0].model_copy(update={"title": HOSTILE})
    control = model.controls[2].model_copy(update={"statement": HOSTILE})
    controls = (*model.controls[:2], control, *model.controls[3:])
    hostile = model.model_copy(
        update={"title": HOSTILE, "risks": (risk, *model.risks[1:]), "controls": controls}
    )

    def observe(asked: Evidence) -> Observation:
        fails = asked.kind == "rule.enabled"
        return Observation(value=1, at=NOW, digest="sha256:1", words=HOSTILE, failing=fails)

    return files(assess(hostile, kinds, observe, NOW))


@pytest.fixture(scope="module")
def page(written: dict[str, bytes]) -> Reader:
    reader = Reader()
    reader.feed(written["report.html"].decode())
    assert not reader.open
    return reader


def test_the_json_is_canonical(written: dict[str, bytes]) -> None:
    assert rfc8785.dumps(json.loads(written["report.json"])) == written["report.json"]


def test_the_page_has_no_script_and_loads_nothing(page: Reader) -> None:
    forbidden = {"script", "link", "img", "iframe", "object", "embed", "form", "base", "svg"}

    assert not forbidden & {tag for tag, _ in page.tags}
    for _, attributes in page.tags:
        assert not any(name.startswith("on") or name in {"src", "style"} for name in attributes)
        assert re.match(r"(#|https://|$)", attributes.get("href") or "")


def test_untrusted_text_is_text_in_html(written: dict[str, bytes]) -> None:
    text = written["report.html"].decode()

    assert "<script" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_untrusted_text_is_text_in_markdown(written: dict[str, bytes]) -> None:
    text = written["report.md"].decode()

    assert "<script" not in text
    assert not re.search(r"(?<!\\)\]\(javascript", text)
    assert "http://evil" not in text
    assert "a@b.example" not in text
    assert "\n# h" not in text
    assert "**b**" not in text


def test_rows_of_tables_in_markdown_have_as_many_cells_as_their_head(
    written: dict[str, bytes],
) -> None:
    for block in re.findall(r"(?:^\|.*\n)+", written["report.md"].decode(), re.MULTILINE):
        cells = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(cells) == 1


def test_tables_have_captions_and_heads_with_scope(page: Reader) -> None:
    tags = [tag for tag, _ in page.tags]

    assert tags.count("table") == tags.count("caption") == tags.count("thead")
    assert all(a.get("scope") in {"row", "col"} for tag, a in page.tags if tag == "th")
    assert next(a for tag, a in page.tags if tag == "html")["lang"] == "en"
    assert tags.count("h1") == 1


def test_every_link_within_the_page_has_its_place(page: Reader) -> None:
    places = [a["id"] for _, a in page.tags if "id" in a]
    links = {a["href"][1:] for _, a in page.tags if (a.get("href") or "").startswith("#")}

    assert len(places) == len(set(places))
    assert links <= set(places)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("qf-api-abuse", "qf-api-abuse"),
        ("a | b", "a \\| b"),
        ("*a* _b_", "\\*a\\* \\_b\\_"),
        ("a\n\n# b", "a \\# b"),
        ("<b>&amp;", "&lt;b&gt;&amp;amp;"),
        ("https://x.example", "https&#58;//x.example"),
    ],
)
def test_text_is_shown_as_it_is(text: str, expected: str) -> None:
    assert in_markdown(text) == expected
