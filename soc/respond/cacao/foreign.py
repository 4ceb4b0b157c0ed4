"""A CACAO playbook of others in our words. What we cannot do becomes a question to people.

What is made acts on nobody: it is switched off, dry, and nobody may start it. What has no place in
it is told by a note; nothing is left out without one.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from soc.respond.cacao.document import Cacao, Command, Node, Part, Variable
from soc.respond.cacao.inputs import OURS, value_of
from soc.respond.cacao.known import OF_COMMAND, OF_PLAYBOOK, OF_REFERENCE, OF_VARIABLE, USED, WAYS
from soc.respond.cacao.words import SECOND, YEAR, day, slug, span, word
from soc.respond.parameter import Parameter

DEEPEST = 8
LONGEST = 1_000
BESIDE = "the original beside it has it"
HAND = "no action of ours does this: a person does it, and says so"
Steps = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Note:
    """Something that was not translated: where, and why."""

    place: str
    why: str

    def __str__(self) -> str:
        return f"{self.place}: {self.why}"


def translate(document: Cacao) -> tuple[dict[str, Any], tuple[Note, ...]]:
    """Return *document* as one of our playbooks is written, and what is not in it."""
    found = _Foreign(document)
    return found.whole(), tuple(found.notes)


class _Foreign:
    """One look through a document; each step is taken at the first place that leads there."""

    def __init__(self, document: Cacao) -> None:
        self.notes: list[Note] = []
        self._document = document
        self._seen: set[str] = set()
        self._ids: set[str] = set()

    def whole(self) -> dict[str, Any]:
        """Return all of it."""
        document = self._document
        self._unread(document, "playbook", OF_PLAYBOOK)
        for number, reference in enumerate(document.external_references):
            self._unread(reference, f"external_references/{number}", OF_REFERENCE)
        inputs = dict(self._inputs())
        steps = self._sequence(document.workflow_start, "workflow_start", 0)
        failing = self._sequence(document.workflow_exception, "workflow_exception", 0)
        for id_, node in sorted(document.workflow.items()):
            if node.type in {"start", "end"}:
                self._unread(node, f"workflow/{id_}", USED[node.type])
            elif id_ not in self._seen:
                self._note(f"workflow/{id_}", f"nothing leads here: left out; {BESIDE}")
        created = day(document.created)
        return {
            "schema": "commonwatch.playbook/1",
            "playbook": slug(document),
            "version": 1,
            "title": document.name,
            "description": document.description,
            "owner": "role:security",
            "status": "disabled",
            "created": created,
            "reviewed": created,
            "references": [one.url or one.name for one in document.external_references],
            "labels": [*document.labels, "cacao"],
            "on": {"manual": []},
            "mode": "dry_run",
            "inputs": inputs,
            "steps": steps or [self._ask("nothing", "Nothing of it could be translated.", None)],
            "on_failure": failing,
        }

    def _inputs(self) -> Iterator[tuple[str, dict[str, Any]]]:
        taken: set[str] = set()
        for given, told in self._document.playbook_variables.items():
            where = f"playbook_variables/{given}"
            self._unread(told, where, OF_VARIABLE)
            name = word(given, 60)
            if not told.external:
                self._note(where, f"is no input: write it where it is used; {BESIDE}")
                continue
            if not name or name in taken:
                self._note(where, "cannot be the name of an input here, or is one already")
                continue
            taken.add(name)
            yield name, self._input(told, where)

    def _input(self, told: Variable, where: str) -> dict[str, Any]:
        kind = OURS.get(told.type)
        if kind is None:
            self._note(f"{where}/type", f"{told.type} is taken as any text")
        made: dict[str, Any] = {"type": kind or "string", "about": told.description}
        if not told.value:
            return made
        value = value_of(made["type"], told.value)
        if "${{" in told.value or Parameter(type=made["type"]).objection(value):
            self._note(f"{where}/value", "does not fit its type: left out")
            return made
        return {**made, "default": value}

    def _sequence(self, id_: str | None, where: str, depth: int) -> Steps:
        """Return the steps from *id_* to an end, or to a step that was taken already."""
        steps: Steps = []
        while id_ is not None:
            node = self._document.workflow.get(id_)
            if node is None:
                self._note(where, f"leads to {id_}, which is not there")
                break
            if node.type == "end":
                break
            if id_ in self._seen:
                self._note(where, f"leads to {id_}, which stands elsewhere already: not repeated")
                break
            if depth > DEEPEST:
                self._note(where, f"is nested deeper than {DEEPEST}: left out; {BESIDE}")
                break
            self._seen.add(id_)
            where, depth_ = f"workflow/{id_}", depth + 1
            made, asked = self._step(node, where, depth_)
            steps += made
            if node.on_failure and asked:
                return steps + self._either(node, asked, where, depth_)
            id_ = node.next
        return steps

    def _either(self, node: Node, asked: list[str], where: str, depth: int) -> Steps:
        """Return what follows where people say whether *node* went well."""
        well = " and ".join(f"steps.{id_}.approved" for id_ in asked)
        ways = ((well, node.next, "on_success"), (f"not ({well})", node.on_failure, "on_failure"))
        steps: Steps = []
        for condition, way, key in ways:
            inside = self._sequence(way, f"{where}/{key}", depth)
            if inside:
                steps.append({"id": self._id(key), "when": f"${{{{ {condition} }}}}", "do": inside})
        return steps

    def _step(self, node: Node, where: str, depth: int) -> tuple[Steps, list[str]]:
        """Return *node* in our words, and the questions whose answers say whether it went well."""
        if node.type == "start":
            return [], []
        self._unread(node, where, USED.get(node.type, WAYS | {"description"}))
        before = self._delay(node, where)
        if node.type in {"action", "playbook-action"}:
            asks = self._action(node, where)
            return before + asks, [ask["id"] for ask in asks]
        made = before + self._branching(node, where, depth)
        failing = self._sequence(node.on_failure, f"{where}/on_failure", depth)
        if not (failing and made):
            return made, []
        return [{"id": self._id(node.name), "do": made, "on_failure": failing}], []

    def _delay(self, node: Node, where: str) -> Steps:
        if node.delay is None:
            return []
        if not SECOND <= node.delay <= YEAR:
            self._note(f"{where}/delay", "is left out: we wait for a second to a year")
            return []
        return [{"id": self._id("wait"), "wait": span(node.delay)}]

    def _action(self, node: Node, where: str) -> Steps:
        if node.type == "playbook-action":
            self._note(where, f"the playbook {node.playbook_id} is not ours to run: {HAND}")
            return [
                self._ask(
                    node.name, f"Run the playbook {node.playbook_id}. {node.description}", node
                )
            ]
        asks = []
        for number, command in enumerate(node.commands):
            self._unread(command, f"{where}/commands/{number}", OF_COMMAND)
            if command.type != "manual":
                self._note(f"{where}/commands/{number}", f"{command.type}: {HAND}")
            asks.append(self._ask(node.name, _told(node, command), node))
        if not asks:
            self._note(where, "says nothing to do: a person looks at it")
            asks.append(self._ask(node.name, f"{node.name}: {node.description}", node))
        return asks

    def _branching(self, node: Node, where: str, depth: int) -> Steps:
        match node.type:
            case "parallel":
                return self._parallel(node, where, depth)
            case "if-condition":
                ways = [("", node.on_true, "on_true"), ("not ", node.on_false, "on_false")]
                return self._asked(node, f"Is this so: {node.condition}", ways, where, depth)
            case "while-condition":
                self._note(where, "we have no loops: it is done once")
                ways = [("", node.on_true, "on_true")]
                return self._asked(node, f"Is this so: {node.condition}", ways, where, depth)
            case "switch-condition":
                return [
                    step
                    for case, id_ in sorted(node.cases.items())
                    for step in self._asked(
                        node,
                        f"Is {node.switch} this: {case}",
                        [("", id_, f"cases/{case}")],
                        where,
                        depth,
                    )
                ]
        self._note(where, f"{node.type} is no step of CACAO 2.0: {HAND}")
        return [self._ask(node.name, f"{node.type}: {node.name} {node.description}", node)]

    def _asked(
        self,
        node: Node,
        question: str,
        ways: list[tuple[str, str | None, str]],
        where: str,
        depth: int,
    ) -> Steps:
        """Return a question to people, and what follows from their answer."""
        self._note(f"{where}/{'switch' if node.switch else 'condition'}", "people are asked")
        steps = [ask := self._ask(node.name, question, node)]
        for mark, id_, key in ways:
            if inside := self._sequence(id_, f"{where}/{key}", depth):
                when = f"${{{{ {mark}steps.{ask['id']}.approved }}}}"
                steps.append({"id": self._id(node.name), "when": when, "do": inside})
        return steps

    def _parallel(self, node: Node, where: str, depth: int) -> Steps:
        found = [
            self._sequence(id_, f"{where}/next_steps/{number}", depth)
            for number, id_ in enumerate(node.next_steps)
        ]
        branches = [branch for branch in found if branch]
        if len(branches) < 2:  # noqa: PLR2004 - one branch runs beside nothing
            return [step for branch in branches for step in branch]
        return [{"id": self._id(node.name), "title": node.name, "parallel": branches}]

    def _ask(self, name: str, question: str, node: Node | None) -> dict[str, Any]:
        text = question.strip().replace("${{", "$ {{")
        if len(text) > LONGEST:
            text = f"{text[:LONGEST]} … ({BESIDE} whole)"
        ask: dict[str, Any] = {"ask": text, "approvers": ["role:responder"], "on_timeout": "fail"}
        if node and node.timeout and SECOND <= node.timeout <= YEAR:
            ask["expires"] = span(node.timeout)
        elif node and node.timeout:
            self._note(f"{name}/timeout", "is left out: people are asked for a second to a year")
        return {"id": self._id(name), "title": name, "approval": ask}

    def _id(self, name: str) -> str:
        base = word(name, 40) or "step"
        number = 1
        while (id_ := base if number == 1 else f"{base}_{number}") in self._ids:
            number += 1
        self._ids.add(id_)
        return id_

    def _unread(self, part: Part, where: str, used: Collection[str]) -> None:
        for key in part.unread(used):
            self._note(f"{where}/{key}", f"has no place in our playbooks; {BESIDE}")

    def _note(self, place: str, why: str) -> None:
        self.notes.append(Note(place, why))


def _told(node: Node, command: Command) -> str:
    parts = [node.description, command.command, command.content]
    text = "\n".join(part for part in parts if part) or node.name
    return text if command.type == "manual" else f"Do this by hand ({command.type}): {text}"
