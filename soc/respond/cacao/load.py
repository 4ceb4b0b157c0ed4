"""Read a playbook that was written as CACAO 2.0: one of ours back, or one of others."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from soc.errors import Refused
from soc.respond.action import Action
from soc.respond.cacao.document import read
from soc.respond.cacao.export import export
from soc.respond.cacao.foreign import Note, translate
from soc.respond.cacao.own import restore
from soc.respond.playbook import Playbook

MOST_NOTES = 200


@dataclass(frozen=True, slots=True)
class Imported:
    """A playbook, and what of its original is not in it. is_ours: it came from a Commonwatch."""

    playbook: Playbook
    notes: tuple[Note, ...]
    is_ours: bool


def load(data: bytes, actions: Mapping[str, type[Action]]) -> Imported:
    """Return the playbook in *data*, a CACAO 2.0 playbook; raises Refused with all mistakes.

    One of others is never one that acts: nobody may start it until a person has read it.
    """
    document, plain = read(data)
    if not document.is_ours:
        translated, notes = translate(document)
        return Imported(_valid(translated, actions), notes, is_ours=False)
    playbook = _valid(restore(document), actions)
    differing = _differences(plain, export(playbook, actions), ())
    lost = tuple(Note("/".join(place), why) for place, why in differing)
    return Imported(playbook, lost[:MOST_NOTES], is_ours=True)


def _valid(plain: Mapping[str, Any], actions: Mapping[str, type[Action]]) -> Playbook:
    try:
        return Playbook.model_validate_json(json.dumps(plain), context=actions)
    except ValidationError as invalid:
        wrong = [
            f"{'.'.join(map(str, error['loc'])) or 'playbook'}: "
            f"{error['msg'].removeprefix('Value error, ')}"
            for error in invalid.errors(include_url=False, include_input=False)
        ]
        raise Refused("\n".join(wrong)) from invalid


def _differences(
    given: object, written: object, at: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield where *given* says what the playbook that was made of it does not."""
    if isinstance(given, dict) and isinstance(written, dict):
        for key in sorted({*given, *written}):
            if key not in written:
                yield (*at, key), "has no place in our playbooks: it is left out"
            elif key not in given:
                yield (*at, key), "is missing, and was taken as the playbook has it"
            else:
                yield from _differences(given[key], written[key], (*at, key))
    elif given != written:
        yield at, "does not count: its extension, or what it belongs to, says otherwise"
