"""Parquet segments: immutable, one class and one day of intake each, in the order of numbers."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from soc.errors import Damaged
from soc.logs.chain import Segment
from soc.logs.files import sync_file, sync_folder
from soc.logs.promote import PREFIX, Promotion, octets
from soc.model.event import REJECTS, SCHEMA

ROW_GROUP = 20_000
SOUGHT = ("wallet", "counterparty", "tx_hash", "event_id", "user_name", "src_ip")
"""Columns in which single values are looked for: a bloom filter tells where they are not."""
PACKED = {"seq": "DELTA_BINARY_PACKED", "ts": "DELTA_BINARY_PACKED"}
"""Columns whose values grow: their differences are kept."""
PLAIN = frozenset({*PACKED, "raw", "event_id", "tx_hash"})
"""Columns in which hardly a value comes twice."""
PRUNED = ["seq", "ts", "ingested", "source", "dataset", "action"]
"""Columns whose least and greatest value may tell that a row group need not be read."""
WHOLE = b"soc.promoted"
KNOWN_FILES = 1024
"""Files whose footers are kept, so that each is read once."""
QUICK, SMALL = 1, 3
"""zstd levels: of what is soon compacted, and of what stays."""


class Part(NamedTuple):
    """One row group of a segment: which numbers it holds, and when its events happened."""

    segment: Segment
    group: int
    rows: int
    first: int
    last: int
    min_ts: datetime
    max_ts: datetime


Read = Callable[[Sequence[Part], Sequence[str]], pa.Table]


class Piece(NamedTuple):
    """Rows on their way into a segment. whole: fields that are whole in columns of their own."""

    table: pa.Table
    whole: frozenset[str]


def promoted(table: pa.Table, promotion: Promotion) -> Piece:
    """Return *table* with the columns of *promotion* beside those of SCHEMA."""
    table = table.select(SCHEMA.names)
    found = promotion.columns(octets(table["raw"]) if promotion.fields else ())
    for name, column in found.columns.items():
        table = table.append_column(name, column)
    return Piece(table, frozenset(found.whole))


def seal(root: Path, table: pa.Table, promotion: Promotion) -> list[Segment]:
    """Write *table* as segments under *root*, a file per class and day; all are durable."""
    days = pc.cast(table.column("ingested"), pa.date32())
    groups = pa.table({"class": table.column("class"), "day": days}).group_by(["class", "day"])
    keys = groups.aggregate([]).to_pylist()
    segments = []
    is_one = len(keys) == 1
    for key in sorted(keys, key=lambda key: (key["class"], key["day"])):
        rows = table if is_one else table.filter(_same(table, days, key))
        piece = Piece(rows.select(SCHEMA.names), frozenset())
        if key["class"] != REJECTS:
            piece = promoted(rows, promotion)
        names = piece.table.column_names[len(SCHEMA) :]
        place = Place(root, key["class"], key["day"], promotion.digest)
        segments.append(put(place, [piece], names, level=QUICK))
    return segments


class Place(NamedTuple):
    """Where a segment is to lie. mark: keeps its name apart from those that it replaces."""

    root: Path
    data_class: str
    day: date
    promoted: str
    mark: str = ""


def put(place: Place, pieces: Iterable[Piece], names: Sequence[str], level: int = SMALL) -> Segment:
    """Write *pieces*, in the order of numbers, as one segment, with promoted columns *names*."""
    folder = place.root / place.data_class / place.day.isoformat()
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f"new{place.mark}.tmp"
    written = _write(draft, pieces, names, level)
    sync_file(draft)
    path = folder / f"s-{written.first:020d}-{written.last:020d}{place.mark}.parquet"
    draft.rename(path)
    for above in (folder, folder.parent, place.root):
        sync_folder(above)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Segment(
        path=path.relative_to(place.root).as_posix(),
        data_class=place.data_class,
        day=place.day,
        sha256=digest,
        bytes=path.stat().st_size,
        promoted=place.promoted,
        **written._asdict(),
    )


class Files:
    """The segments under one folder, to read; what was read lately is kept."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._metadata: dict[str, pq.FileMetaData] = {}
        self._parts = lru_cache(maxsize=4096)(self._look)
        self._tables = lru_cache(maxsize=4)(self._read)

    def parts(self, segment: Segment) -> tuple[Part, ...]:
        """Return the row groups of *segment*.

        Raises FileNotFoundError if it went meanwhile, as all that reads; Damaged if it is.
        """
        return self._parts(segment)

    def is_whole(self, segment: Segment) -> bool:
        """Return whether *segment* is what was written, byte for byte."""
        with (self.root / segment.path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == segment.sha256

    def damaged(self, segments: Iterable[Segment]) -> list[Segment]:
        """Return those of *segments* that are not what was written."""
        return [segment for segment in segments if not self.is_whole(segment)]

    def require_whole(self, segments: Iterable[Segment]) -> None:
        """Do nothing if *segments* are what was written; raises Damaged naming the others."""
        if found := self.damaged(segments):
            raise Damaged(*(self.root / segment.path for segment in found))

    def read(self, part: Part) -> pa.Table:
        """Return the events of *part*, columns of SCHEMA."""
        return self._tables(part)

    def pick(self, part: Part, columns: list[str]) -> pa.Table:
        """Return some columns of *part*."""
        with self._reading(part.segment):
            return self._open(part.segment).read_row_group(part.group, columns=columns)

    def coded(self, segment: Segment) -> Read:
        """Return what reads some columns of some parts of *segment*.

        Promoted columns come as dictionaries, as they are stored.
        """
        coded = ["source", *self.promoted(segment)]
        metadata = self._open(segment).metadata
        with self._reading(segment):
            path = self.root / segment.path
            file = pq.ParquetFile(path, metadata=metadata, read_dictionary=coded)

        def read(parts: Sequence[Part], columns: Sequence[str]) -> pa.Table:
            groups = [part.group for part in parts]
            with self._reading(segment):
                return file.read_row_groups(groups, columns=list(columns), use_threads=False)

        return read

    def whole(self, segment: Segment) -> frozenset[str]:
        """Return the fields that need not be looked for in the events' text."""
        metadata = self._open(segment).metadata.metadata or {}
        return frozenset(orjson.loads(metadata.get(WHOLE, b"[]")))

    def pieces(self, segment: Segment) -> Iterator[Piece]:
        """Yield all of *segment*, a row group at a time, with its promoted columns."""
        file, whole = self._open(segment), self.whole(segment)
        for group in range(file.num_row_groups):
            with self._reading(segment):
                table = file.read_row_group(group, use_threads=False)
            yield Piece(table, whole)

    def promoted(self, segment: Segment) -> list[str]:
        """Return the names of the promoted columns of *segment*."""
        names: list[str] = self._open(segment).schema_arrow.names
        return [name for name in names if name.startswith(PREFIX)]

    def _look(self, segment: Segment) -> tuple[Part, ...]:
        metadata = self._open(segment).metadata
        parts = []
        for group in range(metadata.num_row_groups):
            about = metadata.row_group(group)
            seq, ts = (about.column(n).statistics for n in (0, 1))
            times = (ts.min, ts.max)
            parts.append(Part(segment, group, about.num_rows, seq.min, seq.max, *times))
        return tuple(parts)

    def _read(self, part: Part) -> pa.Table:
        with self._reading(part.segment):
            file = self._open(part.segment)
            return file.read_row_group(part.group, columns=SCHEMA.names).select(SCHEMA.names)

    def _open(self, segment: Segment) -> pq.ParquetFile:
        with self._reading(segment):
            known = self._metadata.get(segment.path)
            file = pq.ParquetFile(self.root / segment.path, metadata=known)
            if known is None:
                if len(self._metadata) >= KNOWN_FILES:
                    self._metadata.clear()
                self._metadata[segment.path] = file.metadata
            return file

    @contextmanager
    def _reading(self, segment: Segment) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except (pa.ArrowException, OSError) as failed:
            raise Damaged(self.root / segment.path) from failed


def _same(table: pa.Table, days: pa.ChunkedArray, key: dict[str, object]) -> pa.ChunkedArray:
    wanted = pa.scalar(key["day"], pa.date32())
    return pc.and_(pc.equal(table.column("class"), key["class"]), pc.equal(days, wanted))


class _Written(NamedTuple):
    rows: int
    first: int
    last: int
    min_ts: datetime
    max_ts: datetime


def _write(path: Path, pieces: Iterable[Piece], names: Sequence[str], level: int) -> _Written:
    """Write a Parquet file; return what is in it."""
    schema = pa.schema([*SCHEMA, *(pa.field(name, pa.string()) for name in names)])
    writer: pq.ParquetWriter | None = None
    whole: frozenset[str] | None = None
    seen: list[_Written] = []
    try:
        for piece in _grouped(pieces):
            table = fitted(piece.table, schema)
            writer = writer or _writer(path, table, level)
            writer.write_table(table, row_group_size=ROW_GROUP)
            whole = piece.whole if whole is None else whole & piece.whole
            seqs, times = pc.min_max(table["seq"]).as_py(), pc.min_max(table["ts"]).as_py()
            seen.append(_Written(table.num_rows, *seqs.values(), *times.values()))
        if writer:
            writer.add_key_value_metadata({WHOLE: orjson.dumps(sorted(whole or ()))})
    finally:
        if writer:
            writer.close()
    return _Written(
        sum(one.rows for one in seen),
        min(one.first for one in seen),
        max(one.last for one in seen),
        min(one.min_ts for one in seen),
        max(one.max_ts for one in seen),
    )


def _grouped(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Join pieces that are smaller than a row group."""
    waiting: list[Piece] = []
    rows = 0
    for piece in pieces:
        if rows + piece.table.num_rows > ROW_GROUP and waiting:
            yield _joined(waiting)
            waiting, rows = [], 0
        waiting.append(piece)
        rows += piece.table.num_rows
    if rows:
        yield _joined(waiting)


def _joined(pieces: Sequence[Piece]) -> Piece:
    whole = frozenset.intersection(*(piece.whole for piece in pieces))
    tables = [piece.table for piece in pieces]
    return Piece(pa.concat_tables(tables, promote_options="default"), whole)


def fitted(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return *table* with exactly the columns of *schema*; what it lacks is null."""
    columns = [
        table[field.name] if field.name in table.column_names else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _writer(path: Path, first: pa.Table, level: int) -> pq.ParquetWriter:
    distinct = {name: pc.count_distinct(first[name], mode="only_valid").as_py() for name in SOUGHT}
    size = min(first.num_rows, ROW_GROUP)
    blooms = {
        name: {"ndv": min(max(found, 64), size + 64), "fpp": 0.05}
        for name, found in distinct.items()
        if found
    }
    return pq.ParquetWriter(
        path,
        first.schema,
        compression="zstd",
        compression_level=level,
        use_dictionary=[name for name in first.schema.names if name not in PLAIN],
        column_encoding=PACKED,
        write_statistics=PRUNED,
        bloom_filter_options=blooms,
    )
