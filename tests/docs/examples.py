"""Play the examples in a page: write the files that it shows, run the commands, compare.

A fenced block whose first line is ``# file: PATH`` is a file. In a block ``console`` each line
``$ soc …`` is run in the same folder and must end with 0, or with N where the block begins
```` ```console exit=N ````; the lines below it must stand in its output, in their order, where a
line ``…`` stands for any, and ``…`` within a line for one word. ``$ pip install ./FOLDER`` makes
the entry points of that folder's pyproject.toml known, as an installation would. Any other command
is an error: it was not tried.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FENCE = re.compile(r"^```(\w+)?(?: exit=(\d+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"# file: (\S+)\n")
ELLIPSIS = "…"
PLAYER = Path(__file__).parent / "player.py"

Run = Callable[[Path, list[str]], dict[str, Any]]


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    language: str
    exit: int
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    return [
        Block(m[1] or "", int(m[2] or 0), m[3], text.count("\n", 0, m.start()) + 1)
        for m in FENCE.finditer(text)
    ]


def play(page: Path, folder: Path, run: Run) -> int:
    """Play *page* in the empty *folder*; return how many commands were run."""
    ran = 0
    for block in blocks(page):
        if shown := FILE.match(block.text):
            target = folder / shown[1]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text[shown.end() :])
        elif block.language == "console":
            for command, expected in commands(block.text):
                where = f"{page.name}:{block.line}: {command}"
                check(command, expected, block.exit, folder, where, run)
                ran += 1
    return ran


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each command of a block with the lines below it."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, *shown = part.rstrip("\n").split("\n")
        yield command, [line for line in shown if line.strip()]


def check(command: str, expected: list[str], code: int, folder: Path, where: str, run: Run) -> None:
    words = shlex.split(command)
    if words[:2] == ["pip", "install"]:
        install(folder / words[2], folder / "site-packages")
        return
    assert words[0] == "soc", f"{where}: only soc and pip install are tried"
    done = run(folder, words[1:])
    assert done["code"] == code, f"{where}: ended with {done['code']}\n{done['said']}"
    missing = first_missing(expected, done["said"])
    assert missing is None, f"{where}: does not say {missing!r}, it says\n{done['said']}"


def first_missing(expected: list[str], said: str) -> str | None:
    """Return the first of *expected* that does not come, in order, as a line of *said*."""
    lines = iter([" ".join(line.split()) for line in said.split("\n")])
    for line in expected:
        if line.strip() == ELLIPSIS:
            continue
        wanted = " ".join(line.split())
        pattern = re.compile(r"\S+".join(map(re.escape, wanted.split(ELLIPSIS))))
        if not any(pattern.fullmatch(one) for one in lines):
            return line
    return None


@contextmanager
def player() -> Iterator[Run]:
    """Give a way to run commands in a folder, each in a process of its own."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("SOC_")}
    process = subprocess.Popen(
        [sys.executable, str(PLAYER)],
        env=inherited,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:

        def run(folder: Path, words: list[str]) -> dict[str, Any]:
            assert process.stdin is not None
            assert process.stdout is not None
            sources = [str(path.parent) for path in sorted(folder.glob("*/pyproject.toml"))]
            path = [str(folder / "site-packages"), *sources]
            asked = {"folder": str(folder), "words": words, "path": path}
            process.stdin.write(json.dumps(asked) + "\n")
            process.stdin.flush()
            answer: dict[str, Any] = json.loads(process.stdout.readline())
            return answer

        yield run


def install(source: Path, target: Path) -> None:
    """Write what an installer writes for ``importlib.metadata``; the code stays where it is."""
    project = tomllib.loads((source / "pyproject.toml").read_text())["project"]
    name, version = project["name"], project["version"]
    facts = target / f"{name.replace('-', '_')}-{version}.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = []
    for group, offers in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{key} = {place}" for key, place in offers.items())]
    (facts / "entry_points.txt").write_text("\n".join(lines) + "\n")
