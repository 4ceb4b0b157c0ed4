"""One list of everything that happened around an incident, in order."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from soc.web.console import words

Plain = Mapping[str, Any]
SECOND = len("2026-11-23T08:42:10")


class Entry(NamedTuple):
    """One line. who: the author, of a note. link: address and text of what it is about.

    earlier: what a note said before.
    """

    at: str
    kind: str
    text: str
    who: str = ""
    link: tuple[str, str] | None = None
    earlier: Sequence[Plain] = ()


def of(incident: Plain, changes: Sequence[Plain]) -> list[Entry]:
    """Return what happened around *incident*; *changes* are acts of the audit log."""
    entries = [
        *map(_alert, incident["alerts"]),
        *_runs(incident["runs"]),
        *_approvals(incident["approvals"]),
        *_effects(incident["effects"]),
        *map(_note, incident["notes"]),
        *map(_change, changes),
    ]
    return sorted(entries, key=itemgetter(0))


def _note(note: Plain) -> Entry:
    author = words.person(note["author"])
    return Entry(note["at"], "Note", note["text"], author, earlier=note["earlier"])


def _alert(alert: Plain) -> Entry:
    link = (f"/alerts/{alert['id']}", alert["rule"])
    return Entry(alert["created"], "Alert", f"{alert['title']}.", link=link)


def _runs(runs: Sequence[Plain]) -> Iterator[Entry]:
    for run in runs:
        name, link = f"RUN-{run['id']}", (f"/runs/{run['id']}", f"RUN-{run['id']}")
        what = (
            f"the undo of {run['effect']}"
            if run["kind"] == "undo"
            else f"playbook {run['playbook']}"
        )
        asked = words.person(run["requested_by"])
        yield Entry(run["created"], "Run", f"{asked} queued {what}.", link=link)
        if run["finished"]:
            _, word = words.mark(run["state"])
            yield Entry(run["finished"], "Run", f"{name} ended: {word.lower()}.", link=link)


def _approvals(asked: Sequence[Plain]) -> Iterator[Entry]:
    for approval in asked:
        link = (f"/approvals/{approval['id']}", f"Approval {approval['id']}")
        yield Entry(approval["asked_at"], "Approval", f"Asked: {approval['ask']}", link=link)
        for vote in approval["votes"]:
            verb = "approved" if vote["approve"] else "rejected"
            reason = f": {vote['reason']}" if vote["reason"] else "."
            yield Entry(vote["at"], "Approval", f"{vote['person']} {verb}{reason}", link=link)
        if approval["decided_at"] and approval["state"] == "expired":
            yield Entry(approval["decided_at"], "Approval", "Nobody decided in time.", link=link)


def _effects(effects: Sequence[Plain]) -> Iterator[Entry]:
    """Yield one entry for all effects of a run and a kind that changed in the same second."""
    moments = [
        (
            effect[moment][:SECOND],
            effect[moment],
            effect["run"] or 0,
            verb,
            words.held(effect),
            effect["subject"],
        )
        for effect in effects
        for moment, verb in (("active", "came into force"), ("lifted", "was lifted"))
        if effect[moment]
    ]
    for (_, run, verb, what), alike in groupby(sorted(moments), key=itemgetter(0, 2, 3, 4)):
        group = list(alike)
        on = words.subject(group[0][5]) if len(group) == 1 else f"{len(group)} subjects"
        link = (f"/runs/{run}", f"RUN-{run}") if run else None
        yield Entry(group[0][1], "Effect", f"{what}, {verb} on {on}.", link=link)


def _change(act: Plain) -> Entry:
    verb, why = act["action"].removeprefix("incident."), act["reason"]
    said = {
        "open": "Opened",
        "assign": f"Assigned to {why}",
        "close": f"Closed as {why.replace('_', ' ', 1)}",
        "reopen": f"Reopened: {why}",
        "rate": f"Severity changed: {why}",
        "merge": f"Merged {why}",
        "split": f"Split: {why}",
        "detach": f"Detached {why}",
        "share": f"Sharing changed: {why}",
        "name": f"Named {why}",
        "ignore": f"Sharing {why} means nothing",
        "regard": f"Sharing {why} means something again",
        "attach": f"Kept the file {why}",
        "task": f"Added the task: {why}",
    }.get(verb, words.mark(verb)[1])
    if verb.startswith("task_"):
        said = f"{words.mark(verb.removeprefix('task_'))[1]}: {why}"
    if verb.startswith("undo_"):
        said = f"Took back the {verb.removeprefix('undo_')}"
    return Entry(act["at"], "Change", f"{said}, by {words.person(act['actor'])}.")
