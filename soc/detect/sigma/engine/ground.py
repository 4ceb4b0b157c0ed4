"""What all rules ask, and what is known of the values that were seen: shared by all origins."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol
from weakref import WeakSet

from soc.detect.sigma.engine.column import Column
from soc.detect.sigma.engine.hyper import Databases
from soc.detect.sigma.engine.keywords import Keywords
from soc.detect.sigma.engine.references import References
from soc.detect.sigma.engine.tree import Asked, Hits, Questions, Tree
from soc.detect.sigma.event import key_of
from soc.detect.sigma.rule import Rule

MOST_BYTES = 128 << 20
"""What is remembered of values, classes and signatures may weigh so much together, about."""


class Judged(NamedTuple):
    """A rule, what decides it, and what that asks. anchors: as Tree has them."""

    rule: Rule
    tree: Tree
    asked: Asked
    anchors: Hits | None


class User(Protocol):
    """Whoever remembers numbers of classes."""

    def forget(self) -> None:
        """Forget them all."""


class Ground:
    """The questions of *rules*, each asked once of each value, whatever the origin.

    users: are told to forget before all numbers of classes change their meaning, while they live.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        databases: Databases | None = None,
        most: int = MOST_BYTES,
    ) -> None:
        self._most, self.used = most, 0
        self._databases = databases or Databases()
        self.users: WeakSet[User] = WeakSet()
        self._questions = Questions()
        trees = self._questions.trees([rule.condition for rule in rules])
        self.rules = [
            Judged(rule, tree, asked, tree.anchors(self._questions.uses))
            for rule, (tree, asked) in zip(rules, trees, strict=True)
        ]
        self._columns: dict[str, Column] = {}
        self._keywords: dict[tuple[int, ...], Keywords] = {}

    @property
    def fields(self) -> frozenset[str]:
        """Every field that the rules ask for, as ``key_of`` spells it."""
        references = self._questions.references.values()
        compared = (key_of(name) for one in references for name in (one.field, one.other))
        return frozenset([*self._questions.by_field, *compared])

    def column(self, field: str) -> Column:
        """Return the classes of the values of *field*."""
        if field not in self._columns:
            self._columns[field] = Column(
                self._questions.by_field[field], self.spend, self._databases
            )
        return self._columns[field]

    def telling(self, besides: Iterable[str]) -> frozenset[str]:
        """Return fields of which one has a certain value wherever any of the rules holds.

        None of *besides*, where others do. Empty if there are no such fields.
        """
        by_field, uses = self._questions.by_field, Counter(self._questions.uses)
        for name in besides:
            uses.update(dict.fromkeys(by_field.get(name, ()), len(self.rules)))
        each = [one.tree.anchors(uses) for one in self.rules]
        if None in each:
            return frozenset()
        anchors = frozenset[int]().union(*filter(None, each))
        return frozenset(name for name, atoms in by_field.items() if not anchors.isdisjoint(atoms))

    def spend(self, size: int) -> None:
        """Count *size* bytes of what is remembered."""
        self.used += size

    def make_room(self) -> None:
        """Forget everything if it is too much."""
        if self.used <= self._most:
            return
        for user in self.users:
            user.forget()
        self.used = 0
        for column in self._columns.values():
            column.forget()

    def keywords(self, numbers: Iterable[int]) -> Keywords | None:
        """Return the words of those of the questions that look anywhere in an event."""
        known = self._questions.keywords
        asked = {number: known[number] for number in sorted(numbers) if number in known}
        if asked and tuple(asked) not in self._keywords:
            self._keywords[tuple(asked)] = Keywords(asked, self._databases)
        return self._keywords.get(tuple(asked))

    def references(self, numbers: Iterable[int]) -> References | None:
        """Return those of the questions that compare two fields."""
        known = self._questions.references
        asked = {number: known[number] for number in numbers if number in known}
        return References(asked) if asked else None
