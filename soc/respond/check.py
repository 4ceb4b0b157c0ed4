"""Prove of playbooks what their shape alone cannot show.

What expressions read is there by then; secrets are listed; what cannot be undone waits for people
and says why it cannot; playbooks that run each other come to an end.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from soc.content.document import Document
from soc.content.folders import files
from soc.errors import ContentError, Problem
from soc.respond.action import Action, Risk
from soc.respond.children import DEEPEST
from soc.respond.expression import references
from soc.respond.playbook import Playbook, read
from soc.respond.step import Step, walk

Actions = Mapping[str, type[Action]]
Place = tuple[int | str, ...]
Found = tuple[Place, str]


def check(paths: Sequence[Path], actions: Actions) -> list[Problem]:
    """Return every mistake in the playbooks of *paths*, files or folders."""
    read_: dict[Path, Playbook] = {}
    problems: list[Problem] = []
    for path in (file for folder in paths for file in files(folder)):
        try:
            read_[path] = read(path, actions)
        except ContentError as wrong:
            problems += wrong.problems
    return sorted([*problems, *check_read(read_, actions)])


def check_read(playbooks: Mapping[Path, Playbook], actions: Actions) -> Iterator[Problem]:
    """Yield the mistakes in *playbooks*, which were read from where they lie."""
    named = {playbook.name: playbook for playbook in playbooks.values()}
    for path, playbook in playbooks.items():
        document = Document(path)
        for place, message in mistakes(playbook, named, actions):
            yield Problem(path, document.line(place), message)


def mistakes(
    playbook: Playbook, named: Mapping[str, Playbook], actions: Actions
) -> Iterator[Found]:
    """Yield what is wrong with *playbook*, and where; *named* are all that it may run."""
    look = _Look(playbook, actions)
    yield from look.sequence(playbook.steps, ("steps",), frozenset(), frozenset())
    everything = frozenset(step.id for step in playbook.every_step())
    yield from look.sequence(playbook.on_failure, ("on_failure",), everything, frozenset())
    yield from look.read({"outputs": dict(playbook.outputs)}, (), everything)
    yield from look.read({"once_per": playbook.once_per}, (), frozenset())
    yield from look.unused()
    yield from _runs(playbook, named)


class _Look:
    """One look through a playbook."""

    def __init__(self, playbook: Playbook, actions: Actions) -> None:
        self._playbook, self._actions = playbook, actions
        self._secrets: set[str] = set()

    def sequence(
        self, steps: Sequence[Step], at: Place, ended: frozenset[str], asked: frozenset[str]
    ) -> Iterator[Found]:
        """Yield what is wrong in *steps*. ended: steps before them; asked: approvals they need."""
        for number, step in enumerate(steps):
            yield from self._step(step, (*at, number), ended, asked)
            ended |= {step.id} | {s.id for branch in step.branches() for s in walk(branch)}

    def read(
        self, fields: Mapping[str, object], at: Place, ended: frozenset[str], *, item: bool = False
    ) -> Iterator[Found]:
        """Yield what the expressions in *fields* read that is not there."""
        for name, value in fields.items():
            for root, below in references(value):
                if wrong := self._missing(root, below, ended, name, item=item):
                    yield (*at, name), f"{name}: {wrong}"

    def unused(self) -> Iterator[Found]:
        """Yield the secrets that are listed and not used."""
        for name in self._playbook.secrets:
            if name not in self._secrets:
                yield ("secrets",), f"secrets: {name} is listed and not used: take it out"

    def _missing(
        self, root: str, below: str, ended: frozenset[str], field: str, *, item: bool
    ) -> str:
        if root == "secrets":
            return self._secret(below, field)
        wrong = {
            "steps": (below not in ended, f"no step {below!r} ends before this one"),
            "inputs": (below not in self._playbook.inputs, "no such input: write it under inputs"),
            "item": (not item, "only a step with for_each has one"),
            "incident": (
                self._playbook.on.schedule is not None,
                "a scheduled run has none: use inputs",
            ),
        }
        is_missing, why = wrong.get(root, (False, ""))
        return f"{root}.{below}: {why}".replace(".:", ":") if is_missing else ""

    def _secret(self, name: str, field: str) -> str:
        self._secrets.add(name)
        if name not in self._playbook.secrets:
            return f"secrets.{name}: is not listed under secrets"
        if field not in {"with", "undo"}:
            return "secrets: only what an action is given may hold one"
        return ""

    def _step(
        self, step: Step, at: Place, ended: frozenset[str], asked: frozenset[str]
    ) -> Iterator[Found]:
        asked |= {below for root, below in references(step.when) if root == "steps"}
        before = {"when": step.when, "for_each": step.for_each, "until": step.until}
        if step.approval:
            before["approval"] = step.approval.ask
        yield from self.read(before, at, ended)
        has_item = step.for_each is not None
        given = {"with": dict(step.parameters), "key": step.key}
        yield from self.read(given, at, ended, item=has_item)
        if step.undo:
            way_back = {"undo": dict(step.undo.parameters)}
            yield from self.read(way_back, at, ended | {step.id}, item=has_item)
        if step.key and ("run", "id") not in set(references(step.key)):
            yield (*at, "key"), "key: must read run.id, or two runs would share it"
        if step.use:
            yield from self._risk(step, at, asked)
        for number, branch in enumerate(step.branches()):
            inside = (*at, "do") if step.do else (*at, "parallel", number)
            yield from self.sequence(branch, inside, ended, asked)
        within = ended | {s.id for s in walk((step,))}
        yield from self.sequence(step.handlers, (*at, "on_failure"), within, asked)

    def _risk(self, step: Step, at: Place, asked: frozenset[str]) -> Iterator[Found]:
        """Yield what is missing where *step* does what cannot be undone."""
        if self._actions[step.use or ""].risk is not Risk.DESTROY or step.undo:
            return
        if not step.no_undo:
            yield (*at, "use"), f"{step.use} cannot be undone: write undo, or no_undo and why"
        approvals = {s.id for s in self._playbook.every_step() if s.approval}
        if not asked & approvals:
            ask = "put an approval before it and write when: ${{ steps.ID.approved }}"
            yield (*at, "use"), f"{step.use} cannot be undone and nobody is asked: {ask}"


def _runs(playbook: Playbook, named: Mapping[str, Playbook]) -> Iterator[Found]:
    """Yield the playbooks that *playbook* runs and that are missing, or lead back to it."""
    for number, step in enumerate(playbook.steps):
        for inner in walk((step,)):
            if inner.playbook is None:
                continue
            if inner.playbook not in named:
                yield ("steps", number), f"playbook: there is no playbook {inner.playbook!r}"
                continue
            chain = _longest(inner.playbook, named, (playbook.name,))
            if len(set(chain)) < len(chain):
                yield ("steps", number), f"playbook: runs in a circle: {' > '.join(chain)}"
            elif len(chain) > DEEPEST:
                yield ("steps", number), f"playbook: {len(chain)} deep, at most {DEEPEST}"


def _longest(name: str, named: Mapping[str, Playbook], above: tuple[str, ...]) -> tuple[str, ...]:
    """Return the longest chain of playbooks from *above* through *name*; it ends at a circle."""
    chain = (*above, name)
    if name in above or name not in named or len(chain) > DEEPEST:
        return chain
    inner: Iterator[Any] = (step.playbook for step in named[name].every_step() if step.playbook)
    return max((_longest(one, named, chain) for one in inner), key=len, default=chain)
