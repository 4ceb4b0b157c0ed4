"""Import a list, and look back: what new entries name may have been here before."""

from pathlib import Path
from typing import Any

from soc.app.suite import Suite
from soc.clock import monotonic
from soc.errors import LogError
from soc.incidents.alerts import Evidence
from soc.incidents.record import record
from soc.intelligence import lists
from soc.intelligence.history import findings_of, look_back
from soc.intelligence.indicator import Entry
from soc.intelligence.lists import About
from soc.intelligence.reading import read
from soc.store.session import session

COLUMNS = ["seq", "ts", "source", "raw"]


def import_list(
    suite: Suite, about: About, path: Path, data: bytes, form: str, actor: str
) -> dict[str, Any]:
    """Let a list hold what *data*, the file at *path*, says; return what that changed and found.

    Raises ContentError with every mistake of the file; nothing of it is kept then.
    """
    now = suite.clock.now()
    entries = read(path, data, form)
    expired = sum(not entry.counts(now) for entry in entries)
    with session(suite.database) as writing:
        made = lists.put(writing, about, entries, actor, now)
    return {
        "list": about.name,
        "version": made.version,
        "entries": len(entries),
        "expired": expired,
        "added": made.added,
        "changed": made.changed,
        "removed": made.removed,
        "unchanged": made.unchanged,
        "history": _history(suite, about.name, [e for e in made.fresh if e.counts(now)]),
    }


def _history(suite: Suite, name: str, fresh: list[Entry]) -> dict[str, Any]:
    """Make findings of what stored events say of *fresh* entries; return how much that was."""
    if not fresh or not suite.home.events.is_dir():
        why = "no events are stored" if fresh else "no entry is new"
        return {"looked_at": 0, "events": 0, "entities": 0, "alerts": 0, "problem": why}
    try:
        looked = look_back(suite.reader, fresh, monotonic)
    except LogError as broken:
        told = f"history was not looked at: {broken}"
        return {"looked_at": 0, "events": 0, "entities": 0, "alerts": 0, "problem": told}
    now, follow = suite.clock.now(), suite.follow()
    problems = [] if looked.is_whole else [f"only {looked.events} of {looked.of} were looked at"]
    with session(suite.database) as writing:
        found, more = findings_of(name, lists.get(writing, name).digest, looked)
        seqs = sorted({seq for finding in found for seq in finding.seqs})
        rows = suite.reader.events(seqs).select(COLUMNS).to_pylist()
        evidence = {row["seq"]: Evidence(**row) for row in rows}
        changes = record(writing, found, evidence, now, suite.settings.incidents)
        follow(writing, changes, now)
    if more:
        problems.append(f"{more} older days of entities made no alert: they are too many")
    return {
        "looked_at": looked.events,
        "events": looked.hits,
        "entities": looked.entities,
        "alerts": len(found),
        "problem": "; ".join(problems) or None,
    }
