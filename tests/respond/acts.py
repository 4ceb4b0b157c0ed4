"""Actions of a site, for tests: each leaves a line in a file, outside any transaction."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field

from soc.errors import ActionFailed
from soc.respond.action import Action, Repeat, Risk, World

Name = Annotated[str, Field(description="where it leaves its line")]


class _Leaves(Action):
    """Leaves a line; fails as often as the file beside it says."""

    risk = Risk.NOTIFY
    file: Name
    word: Annotated[str, Field(description="what it writes")] = ""

    def run(self, world: World) -> Mapping[str, object]:
        self._leave("run", world.key)
        return {"word": self.word}

    def _leave(self, verb: str, key: str) -> None:
        path = Path(self.file)
        failures = path.with_suffix(".fail")
        left = json.loads(failures.read_text()).get(self.word, 0) if failures.exists() else 0
        if left:
            given = json.loads(failures.read_text())
            draft = failures.with_name(f"{self.word}.draft")
            draft.write_text(json.dumps({**given, self.word: left - 1}))
            draft.replace(failures)  # branches look at the same time
            raise ActionFailed("unavailable", f"{self.word} cannot be reached")
        with path.open("a") as file:
            file.write(f"{verb} {self.word} {key}\n")


class Touch(_Leaves):
    """May be done twice under one key."""

    name = "test.touch"
    repeat = Repeat.KEY
    example = '{"file": "/tmp/x"}'


class Once(_Leaves):
    """Must never be done twice."""

    name = "test.once"
    repeat = Repeat.NEVER
    example = '{"file": "/tmp/x"}'


class Look(_Leaves):
    """Can be looked for."""

    name = "test.look"
    repeat = Repeat.CHECK
    example = '{"file": "/tmp/x"}'

    def probe(self, world: World) -> Mapping[str, object] | None:
        path = Path(self.file)
        done = path.exists() and f"run {self.word} {world.key}\n" in path.read_text()
        return {"found": True} if done else None


class Break(_Leaves):
    """Cannot be undone by itself."""

    name = "test.break"
    risk = Risk.DESTROY
    repeat = Repeat.KEY
    example = '{"file": "/tmp/x"}'


OWN = {kind.name: kind for kind in (Touch, Once, Look, Break)}


def lines(path: Path) -> list[str]:
    """Return what was left: a verb and a word, in order."""
    if not path.exists():
        return []
    return [line.rpartition(" ")[0] for line in path.read_text().splitlines()]
