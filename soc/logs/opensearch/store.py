"""The event store on OpenSearch, to write to.

What is appended is durable in the local journal and acknowledged; it is shipped from there in the
order of numbers. While the cluster is away the journal keeps taking events. A document's id is made
of shard and number, so that what is shipped twice is stored once. Other homes may write other
shards beside; what is removed at last is removed of all of them.
"""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from opensearchpy.exceptions import NotFoundError

from soc.clock import Clock
from soc.errors import LogError
from soc.logs import wal
from soc.logs.files import sync_file
from soc.logs.journaled import JournaledLog
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
from soc.logs.opensearch.lease import Lease, Published, Reached, Sole, Take, nobody
from soc.logs.opensearch.reader import PAGE, SEQ, OpenSearchReader
from soc.logs.opensearch.shipped import Place, Shipped
from soc.logs.port import Appended, Keep
from soc.logs.tail import Generation
from soc.model.event import REJECTS
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
UNDER_WAY = timedelta(minutes=1)
"""For so long an event may be between its moment of intake and the journal."""


class OpenSearchLog(JournaledLog):
    """The event store, to write to.

    Raises LogError if another process holds its lock or its shard. take: gives the lease of a
    shard. published: tells what other shards have in the cluster.
    """

    def __init__(
        self,
        root: Path,
        settings: Logs,
        remote: OpenSearch,
        clock: Clock,
        take: Take = Sole,
        published: Published = nobody,
    ) -> None:
        (root / "ids").mkdir(parents=True, exist_ok=True)
        self._asked, self._take = remote.shard, take
        self._lease: Lease | None = None
        self._cluster = Cluster(remote)
        self._is_prepared = False
        self._shipped = Shipped(root)
        with ExitStack() as undo:
            undo.callback(self._let_go)
            super().__init__(root, settings, clock)
            undo.pop_all()
        self._held.keep(self._reached)
        self.reader = OpenSearchReader(root, self._cluster, published)

    @property
    def problem(self) -> str:
        """Return why what was acknowledged is not permanent yet, or nothing."""
        return self._held.lost or super().problem

    def append(self, table: pa.Table) -> Appended:
        """Store *table*; raise LogError, too, if another process has taken the shard."""
        if self._held.lost:
            raise LogError(self._held.lost)
        return super().append(table)

    def close(self) -> None:
        """Let another process write; this one no longer can. What waits, it will ship."""
        self._cluster.close()
        super().close()
        self._let_go()

    def drop(self, data_class: str, day: date, reason: str) -> int:
        """Remove the index of what *data_class* took in on *day*; return how many rows it held.

        Raises LogError while any front door may still send events of that day.
        """
        self._chain.require_free(data_class, day)
        self._require_all(day)
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
        """Remove the rows that *keep* refuses, whoever took them in; return how many.

        Raises LogError while another front door may still send events of that day.
        """
        self._chain.require_free(data_class, day)
        self._require_all(day)
        self.seal()
        index = index_of(data_class, day)
        self._chain.append("rewrite", self._clock.now(), (), reason=f"{index}: {reason}")
        body = {
            "size": PAGE,
            "query": {"match_all": {}},
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

    def _make(self, generation: Generation) -> None:
        """Bring a generation into the cluster; return when it can be found there."""
        self._prepare()
        table = pa.concat_tables(generation.read())
        indices: set[str] = set()
        for begin in range(0, table.num_rows, AT_ONCE):
            self._held.require()
            rows = table.slice(begin, AT_ONCE).to_pylist()
            indices |= {index_of(row["class"], row["ingested"].date()) for row in rows}
            indices |= self._send(rows)
        self._cluster.refresh(",".join(sorted(indices)))
        self._remember(table)
        self._shipped.move(table["seq"][-1].as_py())
        self._held.publish()

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
        results = self._cluster.bulk(actions(rows, self._held.shard, whole=whole))
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
        places = [place_of(row, self._held.shard) for row in rows]
        for row, place, there in zip(
            rows, places, self._cluster.columns(places, COLUMNS), strict=True
        ):
            if there is not None and not is_of(row, there):
                raise LogError(
                    f"{place['_index']}/{place['_id']} is another event: a second home, or one "
                    f"restored from an older backup, writes as shard {self._held.shard}: "
                    "begin a new home"
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

    def _permanent(self) -> int:
        if self._chain.state().sealed:
            raise LogError(
                f"{self._root}: its events are kept here: begin a new home for OpenSearch"
            )
        place = Place(self._root)
        shard = place.shard()
        if shard is not None and self._asked not in {None, shard}:
            raise LogError(
                f"{self._root}: opensearch.shard is {self._asked}, but this home has events of "
                f"shard {shard}: write that, or nothing; if an earlier version gave it "
                f"{self._asked}, begin a new home"
            )
        wanted = self._asked if shard is None else shard
        last = max(self._shipped.read(wanted or 0), wal.last_in(self._root / "wal"))
        self._lease = self._take(place.home(), wanted, last)
        place.keep(self._lease.shard)
        return self._shipped.read(self._lease.shard)

    @property
    def _held(self) -> Lease:
        assert self._lease is not None  # noqa: S101 - taken before anything else is done
        return self._lease

    def _reached(self) -> Reached:
        """Return how far the cluster has got: first what waits, so that nothing is overlooked."""
        now, oldest = self._clock.now(), self._journal.oldest()
        return Reached(self._shipped.read(self._held.shard), min(now, oldest or now))

    def _let_go(self) -> None:
        if self._lease:
            self._lease.release()

    def _require_all(self, day: date) -> None:
        """Do nothing if no other home can still send events that came on *day*."""
        begin = datetime.combine(day, time(), UTC)
        end = begin + timedelta(days=1) + UNDER_WAY
        late = [
            str(one.shard)
            for one in self._held.others()
            if one.until >= begin and (one.since is None or one.since < end)
        ]
        if late:
            raise LogError(
                f"{day}: shards that may still send events of that day: {', '.join(late)}; try "
                "again when it is over and their front doors have sent what they hold"
            )

    def _tidy(self) -> None:
        """Do nothing: a cluster joins what it keeps by itself."""

    def _newest(self) -> Iterable[pa.Table]:
        for path in sorted((self._root / "ids").glob("*.parquet")):
            yield pq.read_table(path, columns=IDENTITY)
