"""Numbers of events, which say their shard: the only place that knows how.

An event's number is its shard's first one and a count without gaps: all fit 53 bits, so that JSON
and browsers keep them whole. In shard 0, and in the home, number and count are the same.
"""

from collections.abc import Mapping

import orjson

COUNTED = 44
"""Bits of a number that count the events of a shard."""
SHARDS = 512
Marks = Mapping[int, int]
"""The number of an event by shard; what is not there stands before the shard's first event."""


def first_of(shard: int) -> int:
    """Return the number after which the events of *shard* begin."""
    return shard << COUNTED


def shard_of(number: int) -> int:
    """Return the shard of the event *number*."""
    return number >> COUNTED


def mark_of(marks: Marks, shard: int) -> int:
    """Return where *marks* stand in *shard*."""
    return marks.get(shard, first_of(shard))


def events_of(marks: Marks) -> int:
    """Return how many events there are up to *marks*."""
    return sum(number - first_of(shard) for shard, number in marks.items())


def between(since: Marks, until: Marks) -> int:
    """Return how many events of all shards lie after *since*, up to *until*."""
    return sum(max(0, number - mark_of(since, shard)) for shard, number in until.items())


def text_of(marks: Marks) -> str:
    """Return *marks* as JSON: the same marks are always the same text."""
    begun = {str(shard): n for shard, n in sorted(marks.items()) if n > first_of(shard)}
    return orjson.dumps(begun).decode()


def marks_of(text: str) -> dict[int, int]:
    """Return the marks that *text* writes."""
    return {int(shard): number for shard, number in orjson.loads(text).items()}
