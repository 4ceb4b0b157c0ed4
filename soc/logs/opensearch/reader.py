"""Read events from a cluster, and from the journal what has not got there yet.

Of the home's own shard everything is seen at once, of others what they have published: that can be
found in the cluster for sure.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from heapq import merge
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from soc.logs.chain import Segment
from soc.logs.match import matcher
from soc.logs.opensearch.cluster import Cluster
from soc.logs.opensearch.document import COLUMNS, PATTERN, row_of, table_of
from soc.logs.opensearch.dsl import query
from soc.logs.opensearch.lease import Published, nobody
from soc.logs.opensearch.shipped import Place, Shipped
from soc.logs.port import Bucket, Counts, Search, Sender, column_of
from soc.logs.reader import LogReader, View
from soc.model.event import MOMENT, REJECTS, SHOWN, Batch, empty
from soc.model.shard import Marks, first_of, mark_of, shard_of
from soc.model.value import MICROSECOND, micros, moment_of

PAGE = 5_000
SEQ, TS, INGESTED = f"{COLUMNS}.seq", f"{COLUMNS}.ts", f"{COLUMNS}.ingested"
NO_REJECT = {"bool": {"must_not": [{"term": {f"{COLUMNS}.class": REJECTS}}]}}


class OpenSearchReader(LogReader):
    """The event store, to look at: all shards.

    A view is of the home's own journal alone. published: tells what each shard has published.
    """

    knows_sql = False

    def __init__(self, root: Path, cluster: Cluster, published: Published = nobody) -> None:
        super().__init__(root)
        self._cluster, self._published = cluster, published
        self._shipped, self._place = Shipped(root), Place(root)
        self._own: int | None = None

    def sealed(self) -> tuple[tuple[Segment, ...], int]:
        """Return no segments, and the last number of the own shard that the cluster has."""
        return (), self._shipped.read(self._shard() or 0)

    def upto(self) -> dict[int, int]:
        """Return the last number that can be read, by shard."""
        own = self._shard()
        mine = {} if own is None else {own: self.view().upto}
        return {**self._published(), **mine}

    def sees(self, seqs: Sequence[int]) -> bool:
        """Return whether events of these numbers can be here by now."""
        own, published = self._shard(), self._published()
        return all(
            shard == own or seq <= mark_of(published, shard)
            for seq, shard in zip(seqs, map(shard_of, seqs), strict=True)
        )

    def search(self, wanted: Search) -> Iterator[Mapping[str, Any]]:
        """Yield events, newest first by when they happened, then by number."""
        view = self.view()
        waiting = sorted(self._waiting(view, wanted), key=_age, reverse=True)
        found = merge(self._found(view, wanted), waiting, key=_age, reverse=True)
        for number, row in enumerate(found, start=1):
            yield row
            if number >= wanted.limit:
                return

    def aggregate(
        self, wanted: Search, by: Sequence[str] = (), every: timedelta | None = None
    ) -> list[Bucket]:
        """Return how many events there are for each combination of the columns *by*."""
        columns = [column_of(name) for name in by]
        view, counts = self.view(), Counts(columns, every)
        counts.count(self._waiting(view, wanted))
        if query(wanted.filter).is_exact:
            for into, key, events in self._counted(view, wanted, columns, every):
                counts.add(into, key, events)
        else:
            counts.count(self._found(view, wanted))
        return counts.buckets()

    def senders(self) -> list[Sender]:
        """Return what is stored of each source, in the order of their names; no rejects."""
        found: dict[str, Sender] = {}
        by, newest = ("source", "parser"), {"at": {"max": {"field": INGESTED}}}
        view = self.view()
        stored = (
            (*key, bucket["doc_count"], moment_of(int(bucket["at"]["value"])))
            for key, bucket in self._grouped(view, by, newest)
        )
        waiting = (
            (row["source"], row["parser"], 1, row["ingested"]) for row in view.waiting().to_pylist()
        )
        for source, parser, events, at in chain(stored, waiting):
            known = found.get(source, Sender(source, 0, at, ()))
            parsers = {*known.parsers, *filter(None, [parser])}
            last = max(known.last_seen, at)
            found[source] = Sender(source, known.events + events, last, tuple(sorted(parsers)))
        return [sender for _, sender in sorted(found.items())]

    def newest(self, column: str, upto: datetime) -> dict[str, datetime]:
        """Return when the newest event of each value of *column* happened, in by *upto*."""
        name, view = column_of(column), self.view()
        asked = {"at": {"max": {"field": f"{COLUMNS}.moment"}}}
        by_then = {"range": {INGESTED: {"lte": micros(upto)}}}
        found = {
            key: moment_of(int(bucket["at"]["value"]))
            for (key,), bucket in self._grouped(view, (name,), asked, by_then)
            if key is not None
        }
        for row in view.waiting().to_pylist():
            if row["ingested"] <= upto and (key := row[name]) is not None:
                moment = min(row["ts"], row["ingested"])
                found[key] = max(found.get(key, moment), moment)
        return dict(sorted(found.items()))

    def last_intake(self, source: str) -> datetime | None:
        """Return when the newest event of *source* came, or None."""
        view = self.view()
        rows = view.waiting()
        waiting = pc.max(rows.filter(pc.equal(rows["source"], source))["ingested"]).as_py()
        stored = self._most(self._known(view), INGESTED, {"term": {f"{COLUMNS}.source": source}})
        known = [waiting] if waiting else []
        return max([*known, *([] if stored is None else [moment_of(int(stored))])], default=None)

    def last_before(self, moment: datetime) -> dict[int, int]:
        """Return the last number of the events in by *moment*, by shard."""
        view, by_then = self.view(), {"range": {INGESTED: {"lte": micros(moment)}}}
        found = {
            shard: int(self._most({shard: upto}, SEQ, by_then) or first_of(shard))
            for shard, upto in self._known(view).items()
        }
        rows = view.waiting()
        early = pc.less_equal(rows["ingested"], pa.scalar(moment, MOMENT))
        waiting = pc.max(rows.filter(early)["seq"]).as_py()
        return found if waiting is None else {**found, shard_of(waiting): waiting}

    def count_rejects(self) -> int:
        """Return how much no parser took, without reading it."""
        view = self.view()
        in_tail = pc.sum(pc.equal(view.tail["class"], REJECTS)).as_py() or 0
        if not (known := self._known(view)):
            return int(in_tail)
        body = {"size": 0, "track_total_hits": True, "query": _upto(known, _REJECTS)}
        total: int = self._cluster.search(PATTERN, body)["hits"]["total"]["value"]
        return int(in_tail) + total

    def _scan(self, view: View, after: int, limit: int) -> Batch:
        if (shard := shard_of(after)) != self._shard():
            return self._scan_other(shard, after, limit)
        stored = self._stored(self._sealed(view), after, limit, NO_REJECT)
        if stored.num_rows >= limit:
            return Batch(stored, stored["seq"][-1].as_py())
        rows = view.waiting(after)
        found = pa.concat_tables([stored, rows]).slice(0, limit)
        cut = stored.num_rows + rows.num_rows > limit
        return Batch(found, found["seq"][-1].as_py() if cut else max(view.upto, after))

    def _scan_other(self, shard: int, after: int, limit: int) -> Batch:
        upto = mark_of(self._published(), shard)
        stored = self._stored({shard: upto}, after, limit, NO_REJECT)
        cut = stored.num_rows >= limit
        return Batch(stored, stored["seq"][-1].as_py() if cut else max(upto, after))

    def _rejects(self, view: View, after: int, limit: int) -> pa.Table:
        stored = self._stored(self._known(view), after, limit, _REJECTS)
        tail = view.tail
        keep = pc.and_(pc.greater(tail["seq"], after), pc.equal(tail["class"], REJECTS))
        return pa.concat_tables([stored, tail.filter(keep)]).sort_by("seq").slice(0, limit)

    def _events(self, view: View, seqs: list[int], names: Sequence[str]) -> pa.Table:
        known = self._known(view)
        asked = [seq for seq in sorted(seqs) if seq <= mark_of(known, shard_of(seq))]
        tables = [view.tail.filter(pc.is_in(view.tail["seq"], pa.array(seqs, pa.int64())))]
        for begin in range(0, len(asked), PAGE):
            some = {"terms": {SEQ: asked[begin : begin + PAGE]}}
            tables.append(self._stored(known, 0, PAGE, some))
        found = pa.concat_tables(tables).sort_by("seq")
        return found.select(names) if names else found

    def _stored(self, known: Marks, after: int, limit: int, only: dict[str, Any]) -> pa.Table:
        """Return up to *limit* rows above number *after* that the cluster has, up to *known*."""
        if all(after >= upto for upto in known.values()):
            return empty()
        above = {"range": {SEQ: {"gt": after}}}
        body = {
            "size": min(limit, PAGE),
            "query": _upto(known, above, only),
            "sort": [{SEQ: "asc"}],
            "_source": [COLUMNS],
        }
        tables, rows = [empty()], 0
        for hits in self._cluster.pages(PATTERN, body):
            tables.append(table_of(hits))
            rows += len(hits)
            if rows >= limit:
                break
        return pa.concat_tables(tables).slice(0, limit)

    def _found(self, view: View, wanted: Search) -> Iterator[dict[str, Any]]:
        if not (known := self._known(view)):  # an outage from the first day on hides nothing
            return
        asked, takes = query(wanted.filter), matcher(wanted.filter)
        body = {
            "size": min(wanted.limit, PAGE) if asked.is_exact else PAGE,
            "query": _upto(known, NO_REJECT, asked.body, *_between(wanted)),
            "sort": [{TS: "desc"}, {SEQ: "desc"}],
            "_source": [COLUMNS],
        }
        for hits in self._cluster.pages(PATTERN, body):
            for row in map(row_of, hits):
                if asked.is_exact or takes(row):
                    yield {name: row[name] for name in SHOWN}

    def _waiting(self, view: View, wanted: Search) -> Iterator[dict[str, Any]]:
        yield from filter(wanted.takes, view.waiting().select(SHOWN).to_pylist())

    def _counted(
        self, view: View, wanted: Search, columns: Sequence[str], every: timedelta | None
    ) -> Iterator[tuple[int | None, tuple[str | None, ...], int]]:
        """Yield bucket, key and count by a composite aggregation: all, a page at a time."""
        if not (known := self._known(view)):
            return
        exact = query(wanted.filter).body
        asked = _upto(known, NO_REJECT, exact, *_between(wanted))
        width = every // MICROSECOND if every else 1
        sources = [_terms(name) for name in columns]
        if every:
            sources.insert(0, {"begin": {"histogram": {"field": TS, "interval": width}}})
        if not sources:
            body: dict[str, Any] = {"size": 0, "track_total_hits": True, "query": asked}
            if total := self._cluster.search(PATTERN, body)["hits"]["total"]["value"]:
                yield None, (), total
            return
        for key, bucket in self._composite(asked, sources):
            into = round(key["begin"] / width) if every else None
            yield into, tuple(key[name] for name in columns), bucket["doc_count"]

    def _grouped(
        self,
        view: View,
        columns: Sequence[str],
        further: dict[str, Any],
        *conditions: dict[str, Any],
    ) -> Iterator[tuple[tuple[str | None, ...], dict[str, Any]]]:
        """Yield what *further* asks of the stored events with each combination of *columns*."""
        if known := self._known(view):
            asked = _upto(known, NO_REJECT, *conditions)
            for key, bucket in self._composite(asked, [_terms(name) for name in columns], further):
                yield tuple(key[name] for name in columns), bucket

    def _composite(
        self,
        asked: dict[str, Any],
        sources: list[dict[str, Any]],
        further: dict[str, Any] | None = None,
    ) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Yield each bucket and its key: all there are, a page at a time."""
        composite: dict[str, Any] = {"size": 1_000, "sources": sources}
        while True:
            by = {"composite": composite, "aggs": further or {}}
            body = {"size": 0, "query": asked, "aggs": {"by": by}}
            said = self._cluster.search(PATTERN, body).get("aggregations", {}).get("by", {})
            for bucket in said.get("buckets", ()):
                yield bucket["key"], bucket
            if "after_key" not in said:
                return
            composite["after"] = said["after_key"]

    def _most(self, known: Marks, field: str, only: dict[str, Any]) -> float | None:
        """Return the largest value of *field* among the stored events that *only* takes."""
        if not known:
            return None
        body = {
            "size": 0,
            "query": _upto(known, NO_REJECT, only),
            "aggs": {"most": {"max": {"field": field}}},
        }
        said = self._cluster.search(PATTERN, body).get("aggregations", {})
        most: float | None = said.get("most", {}).get("value")
        return most

    def _shard(self) -> int | None:
        """Return the shard that this home writes, or None as long as it writes none."""
        if self._own is None:
            self._own = self._place.shard()
        return self._own

    def _sealed(self, view: View) -> dict[int, int]:
        """Return how far the cluster has the own shard, if it has any of it."""
        own = self._shard()
        return {} if own is None or view.sealed == first_of(own) else {own: view.sealed}

    def _known(self, view: View) -> dict[int, int]:
        """Return how far the cluster has each shard of which it has any."""
        others = {
            shard: upto
            for shard, upto in self._published().items()
            if shard != self._shard() and upto > first_of(shard)
        }
        return {**others, **self._sealed(view)}


_REJECTS = {"term": {f"{COLUMNS}.class": REJECTS}}


def _upto(known: Marks, *conditions: dict[str, Any]) -> dict[str, Any]:
    """Return the query for what fits all *conditions*, of what the cluster has for sure."""
    shards = [
        {"bool": {"filter": [{"term": {"soc.shard": shard}}, {"range": {SEQ: {"lte": upto}}}]}}
        for shard, upto in sorted(known.items())
    ]
    return {"bool": {"filter": [*conditions], "should": shards, "minimum_should_match": 1}}


def _between(wanted: Search) -> list[dict[str, Any]]:
    sides = {"gte": wanted.since, "lt": wanted.until}
    limits = {side: micros(bound) for side, bound in sides.items() if bound}
    return [{"range": {TS: limits}}] if limits else []


def _terms(name: str) -> dict[str, Any]:
    return {name: {"terms": {"field": f"{COLUMNS}.{name}", "missing_bucket": True}}}


def _age(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["ts"], row["seq"]
