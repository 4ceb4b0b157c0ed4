"""Find whom a playbook writes to, and which of them nobody knows."""

from collections.abc import Iterator
from pathlib import Path

from soc.contacts import Contacts
from soc.content.document import Document, Place, did_you_mean
from soc.errors import Problem

KEYS = frozenset({"to", "approvers", "escalate_to"})


def unknown(path: Path, contacts: Contacts) -> list[Problem]:
    """Return each target in the playbook at *path* that *contacts* do not have."""
    document = Document(path)
    return [
        Problem(
            path,
            document.line(place),
            f"{place[-2]}: no contact {target!r}: {did_you_mean(target, contacts.targets)}",
        )
        for place, target in _targets(document.plain, ())
        if not contacts.knows(target)
    ]


def _targets(plain: object, place: Place) -> Iterator[tuple[Place, str]]:
    """Yield every target that is written as it is; what an expression gives is known later."""
    if isinstance(plain, list):
        for index, inner in enumerate(plain):
            if isinstance(inner, str) and place and place[-1] in KEYS and "${{" not in inner:
                yield (*place, index), inner
            yield from _targets(inner, (*place, index))
    elif isinstance(plain, dict):
        for key, inner in plain.items():
            yield from _targets(inner, (*place, str(key)))
