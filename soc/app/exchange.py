"""Playbooks out to other suites and in from them, as CACAO 2.0; and who vouches for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import yaml

from soc.app.suite import Suite
from soc.clock import SystemClock
from soc.errors import ContentError, Illegal, NotFound, Refused
from soc.respond.action import Action
from soc.respond.cacao.export import export
from soc.respond.cacao.load import Imported, load
from soc.respond.playbook import Playbook, read
from soc.respond.releasing import require_other
from soc.respond.signature import SUFFIX, Signature, read_key

FIRST = ("schema", "playbook", "version")


@dataclass(frozen=True, slots=True)
class Taken:
    """An imported playbook and the files that were written, the playbook's own first."""

    imported: Imported
    files: tuple[Path, ...]


def exported(suite: Suite, name: str) -> bytes:
    """Return the playbook *name* as a CACAO 2.0 document; raises NotFound."""
    playbook = suite.playbook(name)
    if playbook is None:
        raise NotFound("playbook", name)
    written = export(playbook, suite.actions)
    return orjson.dumps(written, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"


def take(file: Path, folder: Path, actions: Mapping[str, type[Action]]) -> Taken:
    """Write the CACAO 2.0 playbook of *file* into *folder* as one of ours.

    Beside one that was not wholly translated lies its original, byte for byte. Raises Refused for
    a document that is none, and Illegal for a playbook that is there already.
    """
    data = file.read_bytes()
    imported = load(data, actions)
    name = imported.playbook.name
    target, beside = folder / f"{name}.yml", folder / f"{name}.cacao.json"
    if there := [path for path in (target, beside) if path.exists()]:
        raise Illegal(f"{there[0]} is there already: move it, or name another folder with --out")
    folder.mkdir(parents=True, exist_ok=True)
    target.write_text(text_of(imported.playbook), encoding="utf-8")
    _require_same(target, imported.playbook, actions)
    if imported.is_ours and not imported.notes:
        return Taken(imported, (target,))
    beside.write_bytes(data)
    return Taken(imported, (target, beside))


def text_of(playbook: Playbook) -> str:
    """Return *playbook* as a person would write it: what holds anyway is left out."""
    plain = playbook.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    ordered = {key: plain[key] for key in FIRST} | plain
    return yaml.dump(ordered, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def signed(
    file: Path, key: Path, out: Path | None, actions: Mapping[str, type[Action]]
) -> tuple[Path, Signature]:
    """Sign the playbook in *file* with *key*; return where its signature lies, and itself.

    Raises ContentError for a broken playbook, Illegal if the holder of the key wrote it.
    """
    playbook, signing = read(file, actions), read_key(key)
    require_other(playbook, signing)
    signature = signing.sign(playbook.digest, SystemClock().now())
    target = out or file.with_name(f"{file.name}{SUFFIX}")
    target.write_text(signature.model_dump_json() + "\n", encoding="utf-8")
    return target, signature


class _Dumper(yaml.SafeDumper):
    """Writes numbers as our files have them: without exponents."""


def _number(dumper: yaml.SafeDumper, number: float) -> yaml.ScalarNode:
    text = format(Decimal(repr(number)), "f")
    return dumper.represent_scalar("tag:yaml.org,2002:float", text if "." in text else f"{text}.0")


_Dumper.add_representer(float, _number)


def _require_same(path: Path, playbook: Playbook, actions: Mapping[str, Any]) -> None:
    """Take *path* away if it does not read as what it was made of; raises Refused."""
    try:
        if read(path, actions) == playbook:
            return
        why = "it holds what our files cannot: numbers of more than 18 digits, or odd characters"
    except ContentError as wrong:
        why = str(wrong)
    path.unlink()
    raise Refused(f"the playbook cannot be written as a file: {why}")
