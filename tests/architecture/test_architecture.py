"""The shape of the code, held by tests."""

import ast
import re
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path
from statistics import median

import pytest

from soc import errors

ROOT = Path(__file__).parents[2]
MODULES = [
    path.relative_to(ROOT)
    for path in sorted((ROOT / "soc").rglob("*.py"))
    if "versions" not in path.parts
]
THE_MACHINE = re.compile(
    r"(date|datetime)\.(now|today|utcnow)|time\.(time|monotonic|sleep|perf_counter)"
    r"|secrets\.\w+|random\.(random|randint|choice|shuffle|Random)|os\.(environ|getenv)"
)
SEAMS = {
    "soc/clock.py",  # time and what must be unguessable
    "soc/edge.py",  # stands alone in a platform
    "soc/settings.py",  # reads the environment once
    "soc/cli/base.py",  # SOC_TOKEN and who is at the keyboard
    "soc/demo/stage.py",  # the environment of the processes it starts
    "soc/demo/platform/machine.py",
    "soc/demo/driver/machine.py",
    "soc/simulate/draw.py",  # seeded draws
}
LONGEST_MODULE, LONGEST_FUNCTION = 500, 60


@cache
def nodes() -> list[tuple[Path, ast.AST]]:
    """Return all code; who only gathers tests need not read it."""
    trees = ((path, ast.parse((ROOT / path).read_text())) for path in MODULES)
    return [(path, node) for path, tree in trees for node in ast.walk(tree)]


def test_modules_and_functions_stay_small() -> None:
    functions = [
        ((node.end_lineno or 0) - node.lineno + 1, f"{path}:{node.lineno}")
        for path, node in nodes()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    sizes = {path: len((ROOT / path).read_text().splitlines()) for path in MODULES}

    assert {path: size for path, size in sizes.items() if size > LONGEST_MODULE} == {}
    assert [place for size, place in functions if size > LONGEST_FUNCTION] == []
    assert median(sizes.values()) <= 160
    assert median(size for size, _ in functions) <= 10


def test_only_the_seams_ask_the_machine() -> None:
    asking = {
        str(path)
        for path, node in nodes()
        if isinstance(node, ast.Attribute) and THE_MACHINE.fullmatch(ast.unparse(node))
    }

    assert asking <= SEAMS


def test_the_edge_needs_the_standard_library_alone() -> None:
    imported = {
        name.split(".")[0]
        for path, node in nodes()
        if str(path) == "soc/edge.py"
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }

    assert imported <= sys.stdlib_module_names


def test_the_drawn_tree_of_errors_is_the_real_one() -> None:
    drawn = re.findall(r"[├└]── (\w+)", errors.__doc__ or "")
    real = [
        name
        for kind in sorted(_public(errors.SocError), key=lambda kind: kind.__name__)
        for name in (kind.__name__, *sorted(k.__name__ for k in _public(kind)))
    ]

    assert drawn == real


def _public(kind: type) -> list[type]:
    """Return what stands directly below *kind* in the tree, seen past private helpers."""
    found = []
    for below in kind.__subclasses__():
        if below.__module__ != "soc.errors":
            continue
        found += _public(below) if below.__name__.startswith("_") else [below]
    return found


def test_no_module_is_called_by_what_it_is_not() -> None:
    empty = {"utils", "helpers", "common", "core", "misc", "manager"}

    assert [path for path in MODULES if path.stem in empty] == []


def test_broad_excepts_stand_only_at_the_five_edges() -> None:
    places = {
        str(path)
        for path, node in nodes()
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"})
    }

    assert places <= {"soc/respond/flights.py", "soc/watch/tick.py"}


@pytest.mark.timeout(300)
def test_the_wheel_holds_exactly_the_content_that_git_tracks(tmp_path: Path) -> None:
    kinds = ("rules", "playbooks", "threat_model", "retention")
    listed = subprocess.run(
        ["git", "ls-files", "--", *kinds, "soc"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    tracked = {
        f"soc/_content/{name}" if name.startswith(kinds) else name
        for name in filter(None, listed)
        if (ROOT / name).is_file()
    }
    uv = Path(sys.executable).with_name("uv")
    command = [str(uv), "build", "--wheel", "--quiet", "--out-dir", str(tmp_path)]
    subprocess.run([*command, str(ROOT)], check=True, capture_output=True, timeout=240)
    (wheel,) = tmp_path.glob("*.whl")
    held = {
        name for name in zipfile.ZipFile(wheel).namelist() if not name.startswith("commonwatch-")
    }

    assert held == tracked


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        pytest.param(
            "soc.cli.main",
            {
                "pandas",
                "pyarrow",
                "sqlalchemy",
                "sklearn",
                "duckdb",
                "fastapi",
                "sigma",
                "pydantic",
            },
            id="the help",
        ),
        pytest.param(
            "soc.web.views, soc.web.clocks",
            {"pandas", "pyarrow", "sklearn", "duckdb", "fastapi", "starlette", "sigma"},
            id="what lists print",
        ),
    ],
)
def test_it_is_quick_because_imports_are_thin(modules: str, heavy: set[str]) -> None:
    code = f"import sys, {modules}; print(*sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()

    assert heavy.isdisjoint(loaded)
