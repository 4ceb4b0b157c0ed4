"""A YAML 1.2 file as plain values, with the line of each.

Plain scalars are text, except ``null``, ``true``, ``false`` and decimal numbers: ``on``, ``0x1f``
and ``12:30`` stay what was written.
"""

import difflib
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml
from pydantic import ValidationError

from soc.errors import ContentError, Problem

MAX_BYTES = 256 * 1024
MAX_DEPTH = 40
NOT_TEXT = re.compile(r"true|false|-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?")
REFUSED = (yaml.AnchorToken, yaml.AliasToken, yaml.TagToken)
FAST = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
"""libyaml's loader, where PyYAML has it: much faster, but it says less of a mistake and takes
tabs that PyYAML's own refuses."""

Place = tuple[int | str, ...]


class Document:
    """A file as plain values, with the line of each and the keys that were written twice."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self._lines: dict[Place, int] = {(): 1}
        self.plain = self._plain(_compose(path), ())

    def explain(self, invalid: ValidationError, known: Iterable[str]) -> Iterator[Problem]:
        """Yield each mistake that pydantic saw, in the words and lines of the file."""
        words = set(known)
        errors = invalid.errors(include_url=False)
        for error in errors:
            place = error["loc"]
            inner = (other["loc"] for other in errors if len(other["loc"]) > len(place))
            if error["type"] == "too_short" and any(loc[: len(place)] == place for loc in inner):
                continue  # the items are there, and their own mistakes are told
            key = str(place[-1]) if place else "file"
            message = f"{key}: {error['msg'].removeprefix('Value error, ')}"
            if error["type"] == "extra_forbidden":
                message = f"unknown key {key!r}: {did_you_mean(key, words)}"
            elif error["type"] == "missing":
                message = f"{key} is missing: write it"
            yield Problem(self.path, self.line(place), message)

    def line(self, place: Place) -> int:
        """Return the line of *place*, or of the nearest thing around it that was written."""
        return self._lines[place] if place in self._lines else self.line(place[:-1])

    def _plain(self, node: yaml.Node | None, at: Place) -> object:
        match node:
            case yaml.MappingNode():
                return self._mapping(node, at)
            case yaml.SequenceNode():
                return [self._item(item, (*at, index)) for index, item in enumerate(node.value)]
            case None | yaml.ScalarNode(style=None | "", value="" | "null" | "~"):
                return None
            case yaml.ScalarNode(style=None | "") if NOT_TEXT.fullmatch(node.value):
                return json.loads(node.value)
            case _:
                return node.value

    def _item(self, node: yaml.Node, at: Place) -> object:
        self._lines[at] = node.start_mark.line + 1
        return self._plain(node, at)

    def _mapping(self, node: yaml.MappingNode, at: Place) -> dict[str, object]:
        plain: dict[str, object] = {}
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in plain:
                self.problems.append(Problem(self.path, line, f"key {name!r} is here twice"))
            self._lines[*at, name] = line
            plain[name] = self._plain(value, (*at, name))
        return plain


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return what to write instead of *word*: the nearest known word, else all of them."""
    words = sorted(map(str, known))
    near = difflib.get_close_matches(word, words, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(words)}"


def _compose(path: Path) -> yaml.Node | None:
    """Return the file as YAML nodes; raise ContentError for what must not even be looked at."""
    try:
        data = path.read_bytes()
    except OSError as unreadable:
        raise ContentError([Problem(path, 1, unreadable.strerror or "unreadable")]) from unreadable
    if len(data) > MAX_BYTES:
        raise ContentError([Problem(path, 1, f"over {MAX_BYTES} bytes: split the file")])
    if b"\t" in data:
        return _told(path, data)
    try:
        return _nodes(path, data, FAST)
    except (yaml.YAMLError, UnicodeDecodeError):
        return _told(path, data)


def _told(path: Path, data: bytes) -> yaml.Node | None:
    """Return the nodes as PyYAML itself reads them, or tell what is wrong."""
    try:
        return _nodes(path, data, yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError, UnicodeDecodeError) as broken:
        mark = getattr(broken, "problem_mark", None)
        reason = f"not YAML: {getattr(broken, 'problem', None) or broken}"
        raise ContentError([Problem(path, mark.line + 1 if mark else 1, reason)]) from broken


def _nodes(path: Path, data: bytes, loader: type[yaml.BaseLoader]) -> yaml.Node | None:
    refused = _refused(path, data, loader)
    root: yaml.Node | None = yaml.compose(data, Loader=loader)
    if refused:
        raise ContentError(refused)
    return root


def _refused(path: Path, data: bytes, loader: type[yaml.BaseLoader]) -> list[Problem]:
    """Return what is YAML but refused: tags, anchors, aliases, and nesting beyond reason."""
    found, depth = [], 0
    deeper = (yaml.BlockMappingStartToken, yaml.BlockSequenceStartToken)
    opening = (*deeper, yaml.FlowMappingStartToken, yaml.FlowSequenceStartToken)
    closing = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)
    for token in yaml.scan(data, Loader=loader):
        depth += isinstance(token, opening) - isinstance(token, closing)
        line = token.start_mark.line + 1
        if depth > MAX_DEPTH:
            raise ContentError([Problem(path, line, f"nested deeper than {MAX_DEPTH}: flatten it")])
        if isinstance(token, REFUSED):
            reason = "anchors, aliases and tags are refused: write the value itself"
            found.append(Problem(path, line, reason))
    return found
