"""All content of an installation: what is packaged, with the site's own laid over it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soc.app.home import Home
from soc.contacts import Contacts
from soc.content import folders
from soc.errors import ContentError, Problem
from soc.ingest.sources.model import Source
from soc.ingest.sources.model import read as read_source
from soc.respond import addressees
from soc.respond.check import check_read
from soc.respond.playbook import Playbook
from soc.respond.playbook import read as read_playbook
from soc.respond.releasing import release
from soc.settings import Respond, Settings


@dataclass(frozen=True, slots=True)
class Playbooks:
    """The playbooks that can be used, and the mistakes in the others."""

    usable: tuple[Playbook, ...]
    problems: tuple[Problem, ...]
    replaced: tuple[tuple[Path, Path], ...]


def playbooks(
    home: Home, actions: Mapping[str, Any], contacts: Contacts, policy: Respond
) -> Playbooks:
    """Return every playbook; a broken one is reported and stops no other.

    One that writes to somebody whom *contacts* do not know is broken, and so is one whose
    signature does not hold, or is missing where *policy* asks for it.
    """
    paths, replaced = folders.overlay([folders.packaged("playbooks"), home.content("playbooks")])
    found: dict[Path, Playbook] = {}
    problems: list[Problem] = []
    unreleased: list[Problem] = []
    for path in paths:
        try:
            read, doubt = release(
                read_playbook(path, actions), path, [home.content("playbooks")], policy
            )
        except ContentError as wrong:
            problems += wrong.problems
            continue
        found[path] = read
        unreleased += [Problem(path, 1, doubt)] if doubt else []
    unproven = [*unreleased, *check_read(found, actions)]
    unproven += [nobody for path in found for nobody in addressees.unknown(path, contacts)]
    broken = {problem.path for problem in unproven}
    usable = [playbook for path, playbook in found.items() if path not in broken]
    usable.sort(key=lambda playbook: playbook.name)
    return Playbooks(tuple(usable), (*problems, *unproven), replaced)


@dataclass(frozen=True, slots=True)
class Sources:
    """The source files that can be used, where each lies, and the mistakes in the others."""

    usable: Mapping[str, Source]
    paths: Mapping[str, Path]
    problems: tuple[Problem, ...]


def sources(home: Home) -> Sources:
    """Return every source file of the site; a broken one is reported and stops no other."""
    usable: dict[str, Source] = {}
    paths: dict[str, Path] = {}
    problems: list[Problem] = []
    for path in folders.files(home.content("sources")):
        try:
            found = read_source(path)
        except ContentError as wrong:
            problems += wrong.problems
            continue
        if found.name in usable:
            place = paths[found.name].name
            problems.append(Problem(path, 1, f"source {found.name!r} is in {place} already"))
            continue
        usable[found.name], paths[found.name] = found, path
    return Sources(usable, paths, tuple(problems))


def rule_files(home: Home) -> tuple[tuple[Path, ...], tuple[tuple[Path, Path], ...]]:
    """Return the files of rules that may act, and which hide which."""
    return folders.overlay([folders.packaged("rules"), home.content("rules")])


def every_rule_file(settings: Settings, home: Home) -> list[Path]:
    """Return the files of all rules: those that may act, and those that are only watched."""
    files, _ = rule_files(home)
    active, watched = (monitored(settings, home, mode) for mode in ("active", "monitor"))
    return [*files, *active, *watched]


def monitored(settings: Settings, home: Home, mode: str) -> tuple[Path, ...]:
    """Return the files in the further folders of settings that are in *mode*."""
    found = [
        path
        for folder in settings.content
        if folder.mode == mode
        for path in folders.files((home.path / folder.path).resolve())
    ]
    return tuple(found)
