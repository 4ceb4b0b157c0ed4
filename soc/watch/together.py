"""Correlate the hits of a scan: all events are there, so they are taken in the order of time."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

from soc.detect.sigma.chain import Chain, Place, matches_of
from soc.detect.sigma.clocks import Move
from soc.detect.sigma.rule import Hit
from soc.detect.sigma.ruleset import INDIGESTIBLE, Ruleset
from soc.detect.sigma.window import Seen
from soc.model.value import micros, moment_of, rfc3339


class Spot(NamedTuple):
    """Where an event stands: when it happened, in microseconds since 1970, in which line."""

    at: int
    file: str
    line: int


class Together:
    """The hits that correlations count, until all events were read."""

    def __init__(self, ruleset: Ruleset) -> None:
        self._chain = Chain(ruleset.correlations)
        self._silent = ruleset.silent
        self._spots: list[Spot] = []
        self._seen: defaultdict[str, list[Seen]] = defaultdict(list)
        self._newest = 0
        self.left_out = 0
        """Hits that were forgotten since there were too many: counts mean "at least"."""

    def __bool__(self) -> bool:
        return bool(self._chain)

    def counts(self, hit: Hit) -> bool:
        """Return whether a correlation counts *hit*."""
        return bool(self._chain.counting(hit.rule.name))

    def hear(self, moment: datetime) -> None:
        """Note that there is an event of *moment*: until then, silence can be told."""
        self._newest = max(self._newest, micros(moment))

    def take(self, hits: Iterable[Hit], moment: datetime, file: str, line: int) -> Iterator[str]:
        """Count the *hits* of one event; yield the reasons of correlations that could not."""
        place = Place(micros(moment), len(self._spots))
        self._spots.append(Spot(place.at, file, line))
        for hit in hits:
            for one in self._chain.counting(hit.rule.name):
                try:
                    seen = self._chain.see(one, hit.rule.name, hit.event, place)
                except INDIGESTIBLE as error:
                    yield f"rule {one.name}: {type(error).__name__}: {error}"
                    continue
                if seen:
                    self._seen[one.name].append(seen)

    def results(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield each result as a line of a scan, with the rule's name, in the order of time."""
        order = sorted(enumerate(self._spots), key=lambda one: (one[1].at, one[0]))
        ranks = {index: rank for rank, (index, _) in enumerate(order, start=1)}
        spots = [self._spots[index] for index, _ in order]
        moves: list[Move] = []
        for rank, spot in enumerate(spots, start=1):
            if spot.at > (moves[-1].passed if moves else 0):
                moves.append(Move(rank, moves[-1].passed if moves else 0, spot.at))
        last = moves[-1].passed if moves else 0
        moves.append(Move(len(spots) + 1, last, self._newest + 1))
        seen = {name: [_ranked(hit, ranks) for hit in hits] for name, hits in self._seen.items()}
        told, counts = self._chain.settle(seen, {}, moves)
        self.left_out = sum(one.left_out for one in counts.values())
        lines = []
        for one, result in told:
            if one.name in self._silent:
                continue
            spot = spots[result.seqs[-1] - 1]
            line = {
                "rule_id": one.id,
                "rule_title": one.title,
                "level": one.level,
                "file": spot.file,
                "line": spot.line,
                "timestamp": rfc3339(moment_of(result.at)),
                "matched": [match.model_dump() for match in matches_of(one, result)],
            }
            lines.append((result.at, one.name, line))
        for _, name, line in sorted(lines, key=itemgetter(0, 1)):
            yield name, line


def _ranked(hit: Seen, ranks: dict[int, int]) -> Seen:
    rank = ranks[hit.seq]
    return hit._replace(seq=rank, came=rank, passed=hit.at, awaited=hit.at)
