"""Read rule files: plain values, with the line of each key and every mistake of YAML."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from sigma.exceptions import SigmaRuleLocation

from soc.errors import Problem

MAX_BYTES = 1024 * 1024
MAX_PLACES = 100_000
"""Keys and elements that a rule may have, aliases written out."""

Place = tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One rule as it was written.

    index: its place among the rules of the file. lines: of each key. alone: no other rule there.
    """

    path: Path
    index: int
    alone: bool
    plain: Mapping[str, Any]
    lines: Mapping[Place, int]
    digest: str

    def locate(self, *place: object) -> SigmaRuleLocation:
        """Return where *place* is written, or the nearest thing around it."""
        while place not in self.lines and place:
            place = place[:-1]
        return SigmaRuleLocation(self.path, self.lines[place])


def read_file(path: Path) -> Iterator[Source | Problem]:
    """Yield each rule of the file at *path*, or what is wrong with it."""
    try:
        octets = path.read_bytes()
        text = octets.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as unreadable:
        yield Problem(path, 1, f"cannot be read: {unreadable}")
        return
    if len(octets) > MAX_BYTES:
        yield Problem(path, 1, f"over {MAX_BYTES} bytes: split the file")
        return
    try:
        documents = list(_documents(text))
    except (yaml.YAMLError, RecursionError, ValueError) as broken:
        mark = getattr(broken, "problem_mark", None)
        reason = getattr(broken, "problem", None) or str(broken) or type(broken).__name__
        yield Problem(path, mark.line + 1 if mark else 1, f"not YAML: {reason}")
        return
    if not documents:
        yield Problem(path, 1, "the file is empty: there is no rule in it")
    for index, (node, plain) in enumerate(documents):
        alone = len(documents) == 1
        written = octets if alone else _slice(text, node).encode()
        yield _source(path, index, node, plain, written, alone=alone)


def _source(
    path: Path, index: int, node: yaml.Node, plain: object, written: bytes, *, alone: bool
) -> Source | Problem:
    top = node.start_mark.line + 1
    if not isinstance(plain, Mapping):
        return Problem(path, top, "a rule is a map of keys: title, logsource, detection")
    lines: dict[Place, int] = {(): top}
    try:
        twice = list(_note_lines(node, (), lines))
    except RecursionError:
        return Problem(path, top, "nested too deeply")
    if len(lines) > MAX_PLACES:
        return Problem(path, top, f"over {MAX_PLACES} keys and elements: split the rule")
    if twice:
        line, key = twice[0]
        return Problem(path, line, f"the key {key!r} is here twice")
    return Source(
        path=path,
        index=index,
        alone=alone,
        plain=plain,
        lines=lines,
        digest=hashlib.sha256(written).hexdigest(),
    )


def _documents(text: str) -> Iterator[tuple[yaml.Node, Any]]:
    """Yield each document that is not empty, as nodes and as plain values."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            plain = loader.construct_document(node) if node else None
            if node and plain is not None:
                yield node, plain
    finally:
        loader.dispose()


def _note_lines(
    node: yaml.Node, place: Place, lines: dict[Place, int]
) -> Iterator[tuple[int, str]]:
    """Fill *lines*, up to the limit; yield each key that is written twice."""
    if len(lines) > MAX_PLACES:
        return
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            line, inner = key.start_mark.line + 1, (*place, key.value)
            if inner in lines:
                yield line, str(key.value)
            lines[inner] = line
            yield from _note_lines(value, inner, lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[*place, index] = value.start_mark.line + 1
            yield from _note_lines(value, (*place, index), lines)


def _slice(text: str, node: yaml.Node) -> str:
    return text[node.start_mark.index : node.end_mark.index]
