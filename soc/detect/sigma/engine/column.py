"""One field: each value is asked once what it is, and from then on is a number."""

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, cast

from soc.clock import nonce
from soc.detect.sigma.condition import FieldExists, FieldIsNull, FieldMatch, Node
from soc.detect.sigma.engine.accepts import Accepts, Asked
from soc.detect.sigma.engine.hyper import Databases
from soc.detect.sigma.engine.resolver import MISSING
from soc.detect.sigma.event import Found, Scalar, found_among

LONG = 4096
"""Longer texts are remembered by a keyed hash of 128 bits."""
SHORT = 64
"""Texts up to this length are always remembered."""
LOOK, MOSTLY = 8_192, 0.75
ENTRY = 120
"""Bytes that what is remembered costs besides its text, about."""
MEMBER = 60
"""Bytes that a member of a set costs, about."""

TOGETHER, AT_ONCE = 16, 4_000
"""New texts from how many on, and up to how many, one pass looks at."""

Spend = Callable[[int], None]
"""Counts the bytes that something takes which is remembered."""


class Classes:
    """Numbers sets of atoms; hits: for each number, the set."""

    def __init__(self, spend: Spend) -> None:
        self.hits: list[frozenset[int]] = []
        self._numbers: dict[frozenset[int], int] = {}
        self._spend = spend

    def reserve(self, hits: frozenset[int]) -> int:
        """Return a number for *hits* that ``number`` never returns."""
        self._spend(ENTRY + MEMBER * len(hits))
        self.hits.append(hits)
        return len(self.hits) - 1

    def number(self, hits: frozenset[int]) -> int:
        """Return the number of *hits*, always the same."""
        if (known := self._numbers.get(hits)) is None:
            known = self._numbers[hits] = self.reserve(hits)
        return known


class Novelty:
    """Tells when nearly every value is new: then remembering them only costs memory.

    It judges LOOK values at a time. After seven floods in a row it lets one lot be remembered, to
    see whether it is over.
    """

    def __init__(self) -> None:
        self.is_flood = False
        self._asked = self._new = self._floods = 0

    def note(self, asked: int, new: int) -> None:
        """Count values that were asked for, and those of them that were new."""
        self._asked += asked
        self._new += new
        if self._asked < LOOK:
            return
        is_flood = self._new > MOSTLY * self._asked
        self._floods = self._floods + 1 if is_flood else 0
        self.is_flood = is_flood and self._floods % 8 != 0
        self._asked = self._new = 0


class Column:
    """The classes of the values of one field.

    atoms: questions about the field, by number.
    """

    def __init__(self, atoms: Mapping[int, Node], spend: Spend, databases: Databases) -> None:
        asked: list[Asked] = []
        self._null: set[int] = set()
        self._exists: set[int] = set()
        self._missing: set[int] = set()
        for number, node in atoms.items():
            match node:
                case FieldMatch():
                    asked += [(number, predicate) for predicate in node.predicates]
                case FieldIsNull():
                    self._null.add(number)
                case FieldExists(expected=True):
                    self._exists.add(number)
                case _:
                    self._missing.add(number)
        self._accepts = Accepts(asked, databases)
        self._atoms = frozenset(atoms)
        self._spend = spend
        self._novelty = Novelty()
        self._key = nonce().encode()
        self._texts: dict[str, int] = {}
        self._whole: dict[int, int] = {}
        self._others: dict[tuple[Any, Any], int] = {}
        self._evident: dict[bytes, int] = {}
        self.forget()

    def forget(self) -> None:
        """Begin anew: no number that was given before means anything any more."""
        self._texts.clear()
        self._whole.clear()
        self._others.clear()
        self._evident.clear()
        self.classes = Classes(self._spend)
        self.absent = self.classes.reserve(self._hits_of(found_among([])))
        """The class of what is not there: known from what is there and hits nothing."""
        self.unknown = self.classes.reserve(self._atoms)
        """The class of what is there but is not known: its questions may have any answer."""

    def codes(self, values: Sequence[Any]) -> list[int]:
        """Return the class of each of *values*, at once where they are known and of one kind."""
        try:
            if type(values[0]) is str:
                known = list(map(self._texts.get, values))
            elif set(map(type, values)) == {int}:
                known = list(map(self._whole.get, values))
            else:
                return list(map(self.code, values))
        except TypeError:  # a list or an object is among them
            return list(map(self.code, values))
        if None not in known:
            self._novelty.note(len(values), 0)
            return cast("list[int]", known)
        new = [value for value, code in zip(values, known, strict=True) if code is None]
        self._novelty.note(len(values), len(new))
        made = self._together(new) if len(new) >= TOGETHER else {}
        if len(made) == len(values):
            return list(made.values())
        return [
            (made[value] if value in made else self.code(value)) if code is None else code
            for value, code in zip(values, known, strict=True)
        ]

    def code(self, value: Any) -> int:  # noqa: ANN401 - any JSON value, or MISSING
        """Return the class of *value*; raises what a predicate raises that cannot digest it."""
        if value is MISSING:
            return self.absent
        if type(value) is str:
            known = self._texts.get(value)
            return self._new_text(value) if known is None else known
        if type(value) is int:
            known = self._whole.get(value)
            return self._new_whole(value) if known is None else known
        if isinstance(value, list | dict):
            return self._class_of(found_among([value]))
        key = (type(value), value)
        if (known := self._others.get(key)) is None:
            known = self._remember(self._others, key, self._class_of(found_among([value])), 0)
        return known

    def code_of(self, found: Found) -> int:
        """Return the class of values that stand in several places."""
        return self._class_of(found) if found.exists else self.absent

    def _together(self, values: Sequence[Any]) -> dict[Any, int]:
        """Return the classes of those of *values* that can be asked at once; remember them."""
        made: dict[Any, int] = {}
        if set(map(type, values)) != {str}:
            return made
        texts, usual = list(dict.fromkeys(values)), self.classes.number(frozenset(self._exists))
        for begin in range(0, len(texts), AT_ONCE):
            some = [text for text in texts[begin : begin + AT_ONCE] if len(text) <= LONG]
            yes = self._accepts.of_each(some)
            if yes is None:
                continue
            codes = [usual] * len(some)
            for place, atoms in yes.items():
                codes[place] = self.classes.number(frozenset(self._exists | atoms))
            made.update(zip(some, codes, strict=True))
        kept = made
        if self._novelty.is_flood:
            kept = {text: code for text, code in made.items() if len(text) <= SHORT}
        self._texts |= kept
        self._spend(sum(map(len, kept)) + ENTRY * len(kept))
        return made

    def _new_whole(self, value: int) -> int:
        return self._remember(self._whole, value, self._class_of(found_among([value])), 0)

    def _new_text(self, text: str) -> int:
        if self._novelty.is_flood and len(text) > SHORT:
            return self._class_of_text(text)
        if len(text) <= LONG:
            made = self._class_of_text(text)
            return self._remember(self._texts, text, made, len(text))
        octets = text.encode("utf-8", "surrogatepass")
        key = (bytes, blake2b(octets, key=self._key, digest_size=16).digest())
        if (known := self._others.get(key)) is None:
            made = self._class_of_text(text)
            known = self._remember(self._others, key, made, 0)
        return known

    def _remember(self, memory: dict[Any, int], key: object, code: int, size: int) -> int:
        self._spend(size + ENTRY)
        memory[key] = code
        return code

    def _class_of_text(self, text: str) -> int:
        scalar = Scalar(text)
        evidence = self._accepts.evidence(scalar)
        if evidence is None:
            return self._class_of(Found((scalar,), exists=True, is_null=False))
        code = self._evident.get(evidence.key)
        if code is None:
            made = self.classes.number(frozenset(self._exists | evidence.yes()))
            code = self._remember(self._evident, evidence.key, made, len(evidence.key))
        return code

    def _class_of(self, found: Found) -> int:
        return self.classes.number(self._hits_of(found))

    def _hits_of(self, found: Found) -> frozenset[int]:
        yes = set(self._exists if found.exists else self._missing)
        if found.is_null:
            yes |= self._null
        for scalar in found.scalars:
            yes |= self._accepts.of(scalar)
        return frozenset(yes)
