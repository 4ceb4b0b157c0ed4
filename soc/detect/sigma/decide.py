"""Decide windows whose end is past: nothing that came in time is missing in them."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import orjson

from soc.detect.sigma.clocks import Move
from soc.detect.sigma.memory import Hits, Memory
from soc.detect.sigma.rule import Correlation
from soc.detect.sigma.window import Asked, Correlated, as_number, told_of


class Decided(NamedTuple):
    """Decides the windows whose end lies from *since* on and before *until*."""

    rule: Correlation
    asked: Asked
    span: int
    since: int
    until: int
    moves: Sequence[Move]
    lag: int

    def of(self, memory: Memory) -> list[Correlated]:
        """Return the windows of all groups that make the rule true, in the order of their ends."""
        wait = 0 if self.asked is Asked.ENDING else self.span
        found = []
        for key, hits in sorted(memory.hits.items()):
            begin = bisect_left(hits.ats, self.since - wait)
            end = bisect_left(hits.ats, self.until - wait)
            for index in range(begin, end):
                due = hits.ats[index] + wait
                if (one := self._ask(key, hits, index, due, memory.lost.get(key))) is not None:
                    found.append((due, key, index, one))
        return [one for *_, one in sorted(found, key=lambda each: each[:3])]

    def _ask(
        self, key: str, hits: Hits, index: int, due: int, lost: int | None
    ) -> Correlated | None:
        """Return the window of the hit *index*, if it makes the rule true.

        Of hits at one moment only the last is asked. What was forgotten leaves a window unasked.
        """
        at = hits.ats[index]
        if index + 1 < len(hits) and hits.ats[index + 1] == at:
            return None
        match self.asked:
            case Asked.ENDING:
                begin, end = bisect_left(hits.ats, at - self.span), index + 1
                if lost is not None and at - self.span <= lost:
                    return None
            case Asked.BEGINNING:
                begin, end = bisect_left(hits.ats, at), bisect_right(hits.ats, due)
            case _:
                begin, end = index + 1, bisect_right(hits.ats, due)
        measured = hits.measure(begin, end)
        if not self.rule.condition.holds(measured):
            return None
        move = self.moves[bisect_right(self.moves, due + self.lag, key=lambda one: one.passed)]
        told = told_of(hits.kept, begin, end) or [hits.kept[index]]
        last = told[-1] if end > begin else told[-1]._replace(at=due)
        return Correlated(
            group=tuple(orjson.loads(key)),
            first=told[0].at,
            last=told[-1].at,
            at=last.at,
            counted=as_number(measured),
            seqs=tuple(one.seq for one in told),
            came=move.seq,
            passed=move.before,
            awaited=move.before,
            ends=(last,),
        )
