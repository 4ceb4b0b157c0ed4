"""What is studied of an installation: its users, their transactions, and what describes them."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from soc.app.suite import Suite
from soc.errors import NotFound
from soc.intelligence.features.build import Frame, build
from soc.intelligence.view import keep
from soc.intelligence.view.gather import Gathered, collected
from soc.intelligence.view.keep import View
from soc.intelligence.view.marks import marks
from soc.intelligence.view.settle import reasons_of, settle
from soc.logs.following import following
from soc.model.event import Batch
from soc.model.shard import Marks
from soc.model.value import rfc3339
from soc.store.session import reading

AT_ONCE = 100_000
"""Events that are gathered in one go."""
Plain = dict[str, Any]


def folder_of(suite: Suite) -> Path:
    """Return where the versions of the view lie."""
    return suite.home.path / "intelligence" / "view"


def build_view(suite: Suite, *, full: bool = False) -> Plain:
    """Make the next version of the view: what came since the last one is added to it.

    full: read all events again, as is needed when some were removed. Raises LogError.
    """
    root, before = folder_of(suite), None if full else _last(suite)
    after = {int(shard): last for shard, last in before.manifest.upto.items()} if before else {}
    gathered, upto, events = _gathered(suite, before, after)
    tables = settle(gathered)
    with reading(suite.database) as looking:
        marked = marks(looking)
    facts = {
        "made": rfc3339(suite.clock.now()),
        "upto": {str(shard): last for shard, last in sorted(upto.items())},
        "events": events + (before.manifest.events if before else 0),
        "refused": reasons_of(tables),
        "code": version("commonwatch"),
    }
    kept = {**tables._asdict(), "marks": marked, **gathered._asdict()}
    return {**asdict(keep.put(root, kept, facts)), "added": events}


def view(suite: Suite, number: int | None = None) -> View:
    """Return a version of the view, by default the newest; raises NotFound."""
    return keep.load(folder_of(suite), number)


def features(
    suite: Suite, as_of: datetime | None, currency: str | None, decimals: int | None
) -> tuple[View, Frame]:
    """Return the newest view and the features of its users, as of now by default; raises Unfit."""
    found, amounts = view(suite), amounts_of(suite, currency, decimals)
    return found, build(found, as_of or suite.clock.now(), amounts[0], decimals=amounts[1])


def amounts_of(suite: Suite, currency: str | None, decimals: int | None) -> tuple[str | None, int]:
    """Return in which currency and unit amounts are told: as asked, else as settings say."""
    site = suite.settings.intelligence
    return currency or site.currency, site.decimals if decimals is None else decimals


def _last(suite: Suite) -> View | None:
    try:
        return view(suite)
    except NotFound:
        return None


def _gathered(suite: Suite, before: View | None, after: Marks) -> tuple[Gathered, Marks, int]:
    """Return what is known with all events after those marks, the marks then, and how many."""
    marks, events = after, 0

    def batches() -> Iterator[Batch]:
        nonlocal marks, events
        more = suite.stored is not None
        while more:
            found = following(suite.reader, marks, AT_ONCE)
            marks, more = found.marks, found.more
            if len(found.batch):
                events += len(found.batch)
                yield found.batch

    gathered = collected(batches(), before.gathered if before else None)
    return gathered, marks, events
