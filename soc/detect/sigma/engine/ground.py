"""What all rules ask, and what is known of the values that were seen: shared by all origins."""

from collections.abc import Iterable, Sequence

from soc.detect.sigma.engine.column import Column
from soc.detect.sigma.engine.keywords import Keywords
from soc.detect.sigma.engine.tree import Questions
from soc.detect.sigma.rule import Rule


class Ground:
    """The questions of *rules*, each asked once of each value, whatever the origin."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._questions = Questions()
        self.trees = [self._questions.tree(rule.condition) for rule in rules]
        self._columns: dict[str, Column] = {}

    def column(self, field: str) -> Column:
        """Return the classes of the values of *field*."""
        if field not in self._columns:
            self._columns[field] = Column(self._questions.by_field[field])
        return self._columns[field]

    def keywords(self, numbers: Iterable[int]) -> Keywords:
        """Return the words of these questions, to be looked for anywhere in an event."""
        return Keywords({number: self._questions.keywords[number] for number in numbers})
