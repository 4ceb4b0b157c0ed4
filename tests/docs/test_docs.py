"""What the documentation says is what the code does."""

import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest
import typer

from soc import plugins
from soc.cli.main import app
from soc.content.document import Document
from soc.settings import Groups

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
TOP = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
PAGES = [*(ROOT / name for name in TOP), *sorted(DOCS.rglob("*.md"))]
HOW_TOS = sorted((DOCS / "how-to").glob("*.md"))
BY_HAND = [page for page in PAGES if not page.is_relative_to(REFERENCE)]
NAMED = re.compile(r"(?:^\$? ?|`)soc ([a-z][^`\n]*)", re.MULTILINE)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


def module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"docs_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


generate = module(DOCS / "generate.py")
examples = module(Path(__file__).parent / "examples.py")


@pytest.fixture(scope="module")
def reference() -> dict[str, str]:
    return generate.pages()


@pytest.fixture(scope="module")
def run() -> Iterator[Any]:
    with examples.player() as run:
        yield run


def options(*, groups: bool = False) -> dict[str, set[str]]:
    """Return the options of every command, or also group, by the words after ``soc``."""
    found: dict[str, set[str]] = {}

    def walk(group: Any, path: tuple[str, ...]) -> None:
        for name, one in group.commands.items():
            if getattr(one, "commands", None):
                if groups:
                    found[" ".join((*path, name))] = {"--help"}
                walk(one, (*path, name))
            elif not one.hidden:
                known = {option for parameter in one.params for option in parameter.opts}
                found[" ".join((*path, name))] = known | {"--help"}

    walk(typer.main.get_command(app), ())
    return found


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_the_reference_is_what_the_generator_writes(reference: dict[str, str]) -> None:
    written = {
        path.relative_to(REFERENCE).as_posix(): path.read_text()
        for path in REFERENCE.rglob("*")
        if path.is_file()
    }

    differing = sorted(
        name
        for name in written.keys() | reference.keys()
        if written.get(name) != reference.get(name)
    )

    assert differing == [], "run make docs and commit what it writes"


def test_the_reference_names_every_command_setting_and_action(reference: dict[str, str]) -> None:
    keys = [
        f"{group}.{key}"
        for group, field in Groups.model_fields.items()
        for key in getattr(field.annotation, "model_fields", {})
    ]

    commands = {f"## `soc {one}`" for one in options()}
    settings = {f"| `{key}` |" for key in keys}
    actions = {f"## `{name}`" for name in plugins.load("soc.actions")}

    assert len(commands) > 40
    assert len(keys) > 15
    assert [one for one in sorted(commands) if f"{one}\n" not in reference["commands.md"]] == []
    assert [one for one in sorted(settings) if one not in reference["settings.md"]] == []
    assert [one for one in sorted(actions) if f"{one}\n" not in reference["actions.md"]] == []


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("playbook", "playbooks/*.yml"),
        ("playbook-test", "playbooks/*.test.yml"),
        ("rule-test", "rules/**/*.test.yml"),
        ("retention", "retention/*.yml"),
        ("threat-model", "threat_model/*.yml"),
    ],
)
def test_our_own_content_keeps_to_the_schemas(
    name: str, pattern: str, reference: dict[str, str]
) -> None:
    schema = json.loads(reference[f"schemas/{name}.json"])
    is_test = name.endswith("-test")
    paths = [p for p in sorted(ROOT.glob(pattern)) if p.stem.endswith(".test") == is_test]
    validator = jsonschema.Draft202012Validator(schema)

    wrong = [
        f"{path.name}: {error.json_path}: {error.message}"
        for path in paths
        for error in validator.iter_errors(Document(path).plain)
    ]

    assert paths
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    text = FENCED.sub("", page.read_text())
    links = [link for link in LINK.findall(text) if not re.match(r"[a-z]+:|#", link)]

    broken = [one for one in links if not (page.parent / unquote(one.partition("#")[0])).exists()]

    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_is_sober(page: Path) -> None:
    text = FENCED.sub("", page.read_text())

    assert text.startswith("# ")
    assert re.findall(r"[a-z]!(?:\s|$)", text) == []
    assert "TODO" not in text


@pytest.mark.parametrize("page", BY_HAND, ids=name_of)
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    known = options(groups=True)

    wrong = []
    for said in NAMED.findall(page.read_text()):
        words = said.split()
        one = next((c for n in (3, 2, 1) if (c := " ".join(words[:n])) in known), None)
        given = {word.partition("=")[0] for word in words if word.startswith("--")}
        if one is None or not given <= known[one]:
            wrong.append(said)

    assert wrong == []


@pytest.mark.parametrize("page", HOW_TOS, ids=lambda page: page.stem)
def test_what_a_how_to_shows_happens(page: Path, tmp_path: Path, run: Any) -> None:
    assert examples.play(page, tmp_path, run) >= 5


def test_the_readme_fits_one_screen_and_names_the_two_commands() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()

    assert len(lines) <= 60
    assert "make demo" in lines
    assert "make test" in lines


def test_every_verb_of_make_that_a_page_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    verbs = {
        verb
        for page in BY_HAND
        for verb in re.findall(r"(?:^|`)make ([a-z-]+)(?:`|$)", page.read_text(), re.MULTILINE)
    }

    assert {"demo", "setup", "test"} <= verbs
    assert [
        verb for verb in sorted(verbs) if not re.search(rf"^{verb}:", makefile, re.MULTILINE)
    ] == []


def test_pictures_are_small() -> None:
    assert [p.name for p in (DOCS / "images").iterdir() if p.stat().st_size > 300_000] == []


@pytest.mark.parametrize(
    ("shown", "said", "missing"),
    [
        pytest.param(["a  b"], "x\na b\n", None, id="columns may be wider"),
        pytest.param(["a", "b"], "b\na\n", "b", id="the order counts"),
        pytest.param(["id …  new"], "id sha256:12 new", None, id="a word may be left out"),
        pytest.param(["a"], "a b", "a", id="a line is a whole line"),
        pytest.param(["…", "b"], "a\nb", None, id="lines may be left out"),
    ],
)
def test_examples_are_compared_line_by_line(
    shown: list[str], said: str, missing: str | None
) -> None:
    assert examples.first_missing(shown, said) == missing


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        ("$ curl http://127.0.0.1/", "only soc and pip install are tried"),
        ("$ soc no-such-command", "ended with 2"),
        ("$ soc rules check\nrules: many", "does not say 'rules: many'"),
    ],
    ids=["nobody tried it", "it fails", "it says something else"],
)
def test_a_page_whose_example_is_wrong_fails(
    shown: str, reason: str, tmp_path: Path, run: Any
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Page\n\n```console\n{shown}\n```\n")

    with pytest.raises(AssertionError, match=reason):
        examples.play(page, tmp_path, run)
