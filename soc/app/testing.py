"""Run what stands beside rules and playbooks to test them."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from soc import plugins
from soc.app.home import Home
from soc.app.suite import Suite
from soc.audit import Act, record
from soc.content import folders
from soc.errors import NotFound
from soc.ingest.parse import Intake
from soc.respond import recording, rehearsal
from soc.store.session import reading, session
from soc.store.tables import Run
from soc.watch import crossfire, samples


def test_rules(paths: Sequence[Path], home: Path) -> list[dict[str, Any]]:
    """Return what became of every sample; put it on the record of *home*, if there is one."""
    results = run_samples(paths)
    if (Home(home).path / "format").is_file():
        _keep(Suite(home), results)
    return [_told(one) for one in results]


def run_samples(paths: Sequence[Path]) -> list[samples.Result]:
    """Return what becomes of every sample in *paths*."""
    intake = _intake()
    return [
        result
        for path in paths
        for file in samples.files(path)
        for result in samples.run(file, intake)
    ]


def cross_rules(paths: Sequence[Path]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return which rule fires on whose samples, and which of that is a mistake."""
    crossings, mistakes = crossfire.cross(paths, _intake())
    told = [{**asdict(one), "path": str(one.path)} for one in crossings]
    return told, [_told(one) for one in mistakes]


def test_playbooks(paths: Sequence[Path]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return what became of every test beside a playbook, and what of the playbooks they reach."""
    actions = plugins.load("soc.actions")
    results: list[rehearsal.Result] = []
    reached: list[dict[str, Any]] = []
    for path in paths:
        for file in [path] if path.is_file() else sorted(path.rglob(f"*{samples.SUFFIX}")):
            found, coverage = rehearsal.run(file, actions)
            results += found
            reached += [coverage.plain()] if coverage else []
    untested = [
        rehearsal.Result(file.stem, "", file, f"has no {file.stem}{samples.SUFFIX} beside it")
        for path in paths
        for file in folders.files(path)
        if not file.name.endswith(samples.SUFFIX)
        and not file.with_name(file.stem + samples.SUFFIX).is_file()
    ]
    told = [
        {"playbook": r.playbook, "test": r.test, "path": str(r.path), "problem": r.problem}
        for r in [*results, *untested]
    ]
    return told, reached


def recorded(suite: Suite, run: int) -> str:
    """Return a test, as YAML, that goes as *run* went; raises NotFound, Illegal."""
    with reading(suite.database) as looking:
        row = looking.get(Run, run)
        if row is None:
            raise NotFound("run", str(run))
        plain = recording.record(looking, row, dict(suite.actions))
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100)


def _intake() -> Intake:
    return Intake({name: kind() for name, kind in plugins.load("soc.parsers").items()})


def _told(one: samples.Result) -> dict[str, Any]:
    return {"rule": one.rule, "sample": one.sample, "path": str(one.path), "problem": one.problem}


def _keep(suite: Suite, results: Sequence[samples.Result]) -> None:
    now = suite.clock.now()
    with session(suite.database) as writing:
        for slug in sorted({result.rule for result in results if result.rule}):
            wrong = [r.problem for r in results if r.rule == slug and r.problem]
            act = Act(
                at=now,
                actor="soc",
                action="rules.test",
                object=f"rule:{slug}",
                outcome="failed" if wrong else "done",
                reason="; ".join(wrong)[:500],
            )
            record(writing, act)
