"""The event store on OpenSearch, to write to.

What is appended is durable in the local journal and acknowledged; it is shipped from there in the
order of numbers. While the cluster is away the journal keeps taking events. A document's id is made
of shard and number, so that what is shipped twice is stored once.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from opensearchpy.exceptions import NotFoundError

from soc.clock import Clock
from soc.errors import LogError
from soc.logs.chain import Chain
from soc.logs.files import sync_file
from soc.logs.journal import Journal
from soc.logs.known import COLUMNS as IDENTITY
from soc.logs.opensearch.cluster import Cluster
from soc.logs.opensearch.document import (
    COLUMNS,
    TEMPLATE,
    actions,
    index_of,
    is_of,
    place_of,
    table_of,
    template,
)
from soc.logs.opensearch.reader import PAGE, SEQ, OpenSearchReader
from soc.logs.opensearch.shipped import Shipped
from soc.logs.port import Appended, Bucket, Keep, Search
from soc.logs.tail import Generation
from soc.model.event import REJECTS, Batch
from soc.settings import Logs, OpenSearch

AT_ONCE = 1_000
"""Documents in one request."""
STORED = frozenset({200, 201})
BEFORE = 409
"""Says that there is a document of this id: ours, sent before, if no other home writes it."""
UNFIT = frozenset({400, 413})
"""Statuses that say that something is wrong with the document or its index."""
UNFIT_DOCUMENT = frozenset(
    {
        "illegal_argument_exception",
        "mapper_parsing_exception",
        "max_bytes_length_exceeded_exception",
        "request_too_large",
        "strict_dynamic_mapping_exception",
    }
)
"""The cluster's names for what is wrong with a document itself: the same never succeeds."""
GONE = 404


class OpenSearchLog:
    """The event store, to write to. Raises LogError if another process holds its lock."""

    def __init__(self, root: Path, settings: Logs, remote: OpenSearch, clock: Clock) -> None:
        self._root, self._settings, self._clock = root, settings, clock
        self._shard = remote.shard
        self._cluster = Cluster(remote)
        self._is_prepared = False
        for folder in ("chain", "ids"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        self._journal = Journal(root, settings, clock, self._ship, lambda: None)
        with ExitStack() as undo:
            undo.callback(self._journal.close)
            self._chain = Chain(root / "chain")
            self._chain.check()
            if self._chain.state().sealed:
                raise LogError(f"{root}: its events are kept here: begin a new home for OpenSearch")
            self._shipped = Shipped(root)
            self._journal.start(self._shipped.read() + 1, self._newest())
            undo.pop_all()
        self.reader = OpenSearchReader(root, self._cluster, self._shard)

    @property
    def problem(self) -> str:
        """Return why events could not be shipped, or nothing."""
        return self._journal.problem

    @property
    def free(self) -> float:
        """Return the share of the disk that is free, 0 to 1."""
        return self._journal.room.free()

    def append(self, table: pa.Table) -> Appended:
        """Store *table*, columns of SCHEMA without numbers; return when it is on the disk."""
        return self._journal.append(table)

    def tick(self) -> None:
        """Begin to ship what has waited long enough."""
        self._journal.tick()

    def seal(self) -> None:
        """Ship whatever is there now; raises ClusterDown."""
        self._journal.seal()

    def settle(self) -> None:
        """Return when what was begun in the background is done."""
        self._journal.settle()

    def close(self) -> None:
        """Let another process write; this one no longer can. What waits, it will ship."""
        self._cluster.close()
        self._journal.close()

    def scan(self, after: int, limit: int) -> Batch:
        """Return up to *limit* events above number *after*."""
        return self.reader.scan(after, limit)

    def search(self, wanted: Search) -> Iterator[Mapping[str, Any]]:
        """Yield events, newest first."""
        return self.reader.search(wanted)

    def aggregate(
        self, wanted: Search, by: Sequence[str] = (), every: timedelta | None = None
    ) -> list[Bucket]:
        """Return how many events there are for each combination of the columns *by*."""
        return self.reader.aggregate(wanted, by, every)

    def hold(self, data_class: str, reason: str, day: date | None = None) -> None:
        """Refuse to drop or rewrite *data_class*, or its *day*, until that is released."""
        held = f"{data_class}/{day}" if day else data_class
        self._chain.append("hold", self._clock.now(), (), reason=reason, held=held)

    def release(self, data_class: str, reason: str, day: date | None = None) -> None:
        """End a hold."""
        held = f"{data_class}/{day}" if day else data_class
        self._chain.append("release", self._clock.now(), (), reason=reason, held=held)

    def drop(self, data_class: str, day: date, reason: str) -> int:
        """Remove the index of what *data_class* took in on *day*; return how many rows it held."""
        self._chain.require_free(data_class, day)
        self.seal()
        index = index_of(data_class, day)
        try:
            rows = self._cluster.count(index)
            self._chain.append("drop", self._clock.now(), (), reason=f"{index}: {reason}")
            self._cluster.ask(lambda client: client.indices.delete(index=index))
        except NotFoundError:
            return 0
        return rows

    def rewrite(self, data_class: str, day: date, keep: Keep, reason: str) -> int:
        """Remove the rows that *keep* refuses; return how many."""
        self._chain.require_free(data_class, day)
        self.seal()
        index = index_of(data_class, day)
        self._chain.append("rewrite", self._clock.now(), (), reason=f"{index}: {reason}")
        body = {
            "size": PAGE,
            "query": {"term": {"soc.shard": self._shard}},
            "sort": [{SEQ: "asc"}],
            "_source": [COLUMNS],
        }
        removed = 0
        for hits in self._cluster.pages(index, body):
            kept = keep(table_of(hits))
            refused = [hit["_id"] for hit, stays in zip(hits, kept, strict=True) if not stays]
            removed += self._delete(index, refused)
        if removed:
            self._cluster.refresh(index)
        return removed

    def _delete(self, index: str, ids: Sequence[str]) -> int:
        lines = [f'{{"delete":{{"_index":"{index}","_id":"{one}"}}}}'.encode() for one in ids]
        results = self._cluster.bulk(lines) if lines else []
        failed = [r for r in results if r["status"] not in {200, GONE}]
        if failed:
            raise LogError(f"{index}: {len(failed)} documents were not removed: try again")
        return sum(result["status"] == 200 for result in results)  # noqa: PLR2004 - HTTP's OK

    def _ship(self, generation: Generation) -> None:
        """Bring a generation into the cluster; return when it can be found there."""
        self._prepare()
        table = pa.concat_tables(generation.read())
        indices: set[str] = set()
        for begin in range(0, table.num_rows, AT_ONCE):
            rows = table.slice(begin, AT_ONCE).to_pylist()
            indices |= {index_of(row["class"], row["ingested"].date()) for row in rows}
            indices |= self._send(rows)
        self._cluster.refresh(",".join(sorted(indices)))
        self._remember(table)
        self._shipped.move(table["seq"][-1].as_py())

    def _send(self, rows: list[dict[str, Any]]) -> set[str]:
        """Create *rows*; what the cluster refuses is kept with fewer fields, or as a reject.

        Return the indices of rejects: the same rows always become the same documents.
        """
        refused = self._create(rows, whole=True)
        refused = self._create([row for row, _ in refused], whole=False)
        if strange := sorted({why for _, why in refused} - UNFIT_DOCUMENT):
            # Of the index, not of the document: nothing may become a reject because of it.
            raise LogError(f"OpenSearch takes no events: {strange[0]}")
        rejects = [
            row | {"class": REJECTS, "reason": f"OpenSearch refused it: {why}"}
            for row, why in refused
        ]
        if left := self._create(rejects, whole=False):
            raise LogError(f"OpenSearch refuses even the reject: {left[0][1]}")
        return {index_of(REJECTS, row["ingested"].date()) for row in rejects}

    def _create(
        self, rows: list[dict[str, Any]], *, whole: bool
    ) -> list[tuple[dict[str, Any], str]]:
        """Return the rows that do not fit, each with the cluster's name for the reason."""
        if not rows:
            return []
        results = self._cluster.bulk(actions(rows, self._shard, whole=whole))
        refused, before = [], list[dict[str, Any]]()
        for row, result in zip(rows, results, strict=True):
            if result["status"] in STORED:
                continue
            if result["status"] == BEFORE:
                before.append(row)
                continue
            why = result.get("error", {}).get("type", "no reason given")
            if result["status"] not in UNFIT:
                raise LogError(f"OpenSearch takes no events: {result['status']} {why}")
            refused.append((row, why))
        self._require_ours(before)
        return refused

    def _require_ours(self, rows: Sequence[dict[str, Any]]) -> None:
        """Do nothing if the documents that are there already are *rows*; raise LogError."""
        places = [place_of(row, self._shard) for row in rows]
        for row, place, there in zip(
            rows, places, self._cluster.columns(places, COLUMNS), strict=True
        ):
            if there is not None and not is_of(row, there):
                raise LogError(
                    f"{place['_index']}/{place['_id']} is another event: a second home, or one "
                    f"restored from an older backup, writes as shard {self._shard}: give each home "
                    "an opensearch.shard of its own"
                )

    def _prepare(self) -> None:
        """Put the template where it is not: new, of an older version, or the cluster was wiped."""
        is_there = self._is_prepared and self._cluster.ask(
            lambda client: client.indices.exists_index_template(name=TEMPLATE)
        )
        if not is_there:
            self._cluster.ask(
                lambda client: client.indices.put_index_template(name=TEMPLATE, body=template())
            )
            self._is_prepared = True

    def _remember(self, table: pa.Table) -> None:
        """Keep the ids of what was shipped, as far back as the window of duplicates reaches."""
        first, last = table["seq"][0].as_py(), table["seq"][-1].as_py()
        path = self._root / "ids" / f"{first:020d}-{last:020d}.parquet"
        making = path.with_suffix(".part")
        pq.write_table(table.select(IDENTITY), making)
        sync_file(making)
        making.replace(path)
        paths = sorted(path.parent.glob("*.parquet"), reverse=True)
        rows = 0
        for one in paths:
            if rows >= self._settings.remembered_ids:
                one.unlink(missing_ok=True)
            rows += pq.read_metadata(one).num_rows if one.exists() else 0

    def _newest(self) -> Iterable[pa.Table]:
        for path in sorted((self._root / "ids").glob("*.parquet")):
            yield pq.read_table(path, columns=IDENTITY)
