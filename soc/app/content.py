"""All content of an installation: what is packaged, with the site's own laid over it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soc.app.home import Home
from soc.content import folders
from soc.errors import ContentError, Problem
from soc.respond.playbook import Playbook
from soc.respond.playbook import read as read_playbook
from soc.settings import Settings


@dataclass(frozen=True, slots=True)
class Playbooks:
    """The playbooks that can be used, and the mistakes in the others."""

    usable: tuple[Playbook, ...]
    problems: tuple[Problem, ...]
    replaced: tuple[tuple[Path, Path], ...]


def playbooks(home: Home, actions: Mapping[str, Any]) -> Playbooks:
    """Return every playbook; a broken one is reported and stops no other."""
    paths, replaced = folders.overlay([folders.packaged("playbooks"), home.content("playbooks")])
    usable: list[Playbook] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            usable.append(read_playbook(path, actions))
        except ContentError as wrong:
            problems += wrong.problems
    return Playbooks(tuple(sorted(usable, key=lambda p: p.name)), tuple(problems), replaced)


def rule_files(home: Home) -> tuple[tuple[Path, ...], tuple[tuple[Path, Path], ...]]:
    """Return the files of rules that may act, and which hide which."""
    return folders.overlay([folders.packaged("rules"), home.content("rules")])


def monitored(settings: Settings, home: Home, mode: str) -> tuple[Path, ...]:
    """Return the files in the further folders of settings that are in *mode*."""
    found = [
        path
        for folder in settings.content
        if folder.mode == mode
        for path in folders.files((home.path / folder.path).resolve())
    ]
    return tuple(found)
