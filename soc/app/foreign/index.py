"""Read an index that others write to: everything once, and say so where that cannot be.

What is visible now may still be joined by earlier events, so each look begins an overlap before the
last one, and ends a little before now. What comes later than that is found by counting: each minute
is counted again 10 minutes, an hour and a day after it, and read again where the counts differ.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from soc.app.foreign.seen import MINUTE, Seen, minute_of, short
from soc.app.taking import Lines
from soc.clock import Clock
from soc.errors import ClusterDown
from soc.inputs import IndexInput
from soc.logs.opensearch.cluster import Cluster
from soc.model.value import EPOCH
from soc.settings import OpenSearch

PAGE = 1_000
AGES = (timedelta(minutes=10), timedelta(hours=1), timedelta(days=1))
"""How old a minute is when it is counted again."""
KEPT = AGES[-1] + timedelta(hours=1)
MILLISECOND = timedelta(milliseconds=1)


class Gap(NamedTuple):
    """A difference that stays. since: the minute that it is about."""

    since: datetime
    reason: str


class Index:
    """One foreign index. store: appends lines with their ids and returns when they are durable."""

    def __init__(
        self, about: IndexInput, folder: Path, clock: Clock, store: Callable[[Lines], object]
    ) -> None:
        self.about = about
        given = {name: getattr(about, name) for name in ("urls", "user", "password", "ca")}
        self._cluster = Cluster(OpenSearch(**given))
        self._clock, self._store = clock, store
        self._seen = Seen(folder)
        self._ended = False

    def close(self) -> None:
        """Stop soon; what was not read yet is read by the next process."""
        self._ended = True
        self._cluster.close()

    def pull(self) -> int:
        """Take what is new; return how much. Raises LogError where the cluster does not answer."""
        cursor, until = self._seen.cursor(), self._clock.now() - self.about.lag
        since = cursor.upto - self.about.overlap if cursor.upto else None
        limits = {"lte": _millis(until)} | ({"gt": _millis(since)} if since else {})
        taken = 0
        for hits in self._pages(limits):
            taken += self._take(hits)
            reached = _moment_of(hits[-1])
            if cursor.upto is None or reached > cursor.upto:
                cursor = cursor._replace(upto=reached)
                self._seen.move(cursor)
        if cursor.upto is None or until > cursor.upto:
            self._seen.move(cursor._replace(upto=until))
        self._seen.let_go(until - self.about.overlap - 2 * MINUTE)
        return taken

    def sweep(self, tell: Callable[[Gap], None]) -> None:
        """Count the minutes that are due again, read those that differ, *tell* what still does.

        After a long time away a day is counted at once, the next one the next time.
        """
        cursor, now = self._seen.cursor(), minute_of(self._clock.now())
        if cursor.swept is not None:
            now = min(now, cursor.swept + timedelta(days=1))
            for age in AGES:
                for minute in self._differing(cursor.swept - age, now - age):
                    if gap := self._mend(minute):
                        tell(gap)
        self._seen.move(cursor._replace(swept=now))
        self._seen.forget(now - KEPT)
        self._seen.let_go(now)

    def undated(self) -> int:
        """Return how many documents have no timestamp: they are never read."""
        without = {"bool": {"must_not": [{"exists": {"field": self.about.timestamp}}]}}
        body = {"size": 0, "track_total_hits": True, "query": without}
        return int(self._cluster.search(self.about.index, body)["hits"]["total"]["value"])

    def _differing(self, after: datetime, upto: datetime) -> list[datetime]:
        """Return the minutes, later than *after* until *upto*, whose counts are not ours."""
        if upto <= after:
            return []
        limits = {"gte": _millis(after + MINUTE), "lt": _millis(upto + MINUTE)}
        theirs = self._counts(limits)
        every = {*theirs, *self._seen.minutes(after, upto)}
        return sorted(m for m in every if theirs.get(m, 0) != self._seen.count(m))

    def _mend(self, minute: datetime) -> Gap | None:
        limits = {"gte": _millis(minute), "lt": _millis(minute + MINUTE)}
        for hits in self._pages(limits):
            self._take(hits)
        theirs, ours = self._counts(limits).get(minute, 0), self._seen.count(minute)
        if theirs == ours:
            return None
        what = f"{self.about.index} has {theirs} events of {minute:%Y-%m-%d %H:%M} UTC"
        more = "it lost some" if theirs < ours else "some could not be taken"
        return Gap(minute, f"{what}, {ours} were processed: {more}")

    def _counts(self, limits: dict[str, int]) -> dict[datetime, int]:
        by_minute = {"field": self.about.timestamp, "fixed_interval": "1m", "min_doc_count": 1}
        body = {
            "size": 0,
            "query": self._between(limits),
            "aggs": {"minutes": {"date_histogram": by_minute}},
        }
        said = self._cluster.search(self.about.index, body).get("aggregations", {})
        buckets = said.get("minutes", {}).get("buckets", [])
        return {EPOCH + b["key"] * MILLISECOND: b["doc_count"] for b in buckets}

    def _pages(self, limits: dict[str, int]) -> Iterator[list[dict[str, Any]]]:
        by = {"order": "asc", "numeric_type": "date", "unmapped_type": "date"}
        body = {
            "size": PAGE,
            "query": self._between(limits),
            "sort": [{self.about.timestamp: by}, {"_shard_doc": "asc"}],
        }
        for hits in self._cluster.pages(self.about.index, body, again=False):
            if self._ended:
                raise ClusterDown("this process ends: the next one reads on")
            yield hits

    def _between(self, limits: dict[str, int]) -> dict[str, Any]:
        between = {self.about.timestamp: {**limits, "format": "epoch_millis"}}
        return {"bool": {"filter": [{"range": between}]}}

    def _take(self, hits: list[dict[str, Any]]) -> int:
        """Store the *hits* that were not taken yet; return how many."""
        names = [(_moment_of(hit), f"{hit['_index']}:{hit['_id']}") for hit in hits]
        is_new = self._seen.new(names)
        fresh = [(hit, name) for hit, name, new in zip(hits, names, is_new, strict=True) if new]
        if fresh:
            text = [orjson.dumps(hit["_source"]) for hit, _ in fresh]
            ids = [name for _, (_, name) in fresh]
            self._store(Lines(text, ids, [self.about.source] * len(text), self.about.format))
            oldest = (self._seen.cursor().swept or self._clock.now()) - KEPT
            # What is older is never counted again: of it, the store's own window knows the ids.
            self._seen.add(name for _, name in fresh if name[0] > oldest)
        return len(fresh)


def folder_of(home: Path, about: IndexInput) -> Path:
    """Return where the record of an index lies in *home*."""
    return home / "indices" / short(f"{about.source}\0{about.index}").hex()


def _millis(moment: datetime) -> int:
    return (moment - EPOCH) // MILLISECOND


def _moment_of(hit: dict[str, Any]) -> datetime:
    return EPOCH + int(hit["sort"][0]) * MILLISECOND
