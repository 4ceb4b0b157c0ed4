"""Parquet segments: immutable, one class and one day of intake each."""

import hashlib
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from soc.logs.chain import Segment
from soc.logs.files import sync_file, sync_folder

ROW_GROUP = 20_000


def write(root: Path, table: pa.Table) -> list[Segment]:
    """Write *table* as segments under *root*, a file per class and day; all are durable."""
    days = pc.cast(table.column("ingested"), pa.date32())
    groups = pa.table({"class": table.column("class"), "day": days}).group_by(["class", "day"])
    keys = groups.aggregate([]).to_pylist()
    return [
        _write(root, table.filter(_same(table, days, key)), key["class"], key["day"])
        for key in sorted(keys, key=lambda key: (key["class"], key["day"]))
    ]


def read(root: Path, segment: Segment, columns: list[str] | None = None) -> pa.Table:
    """Return the rows of *segment*; raises FileNotFoundError if it was dropped meanwhile."""
    return pq.ParquetFile(root / segment.path).read(columns=columns)


def _same(table: pa.Table, days: pa.ChunkedArray, key: dict[str, object]) -> pa.ChunkedArray:
    wanted = pa.scalar(key["day"], pa.date32())
    return pc.and_(pc.equal(table.column("class"), key["class"]), pc.equal(days, wanted))


def _write(root: Path, table: pa.Table, data_class: str, day: date) -> Segment:
    seqs, moments = pc.min_max(table.column("seq")), pc.min_max(table.column("ts"))
    first, last = seqs["min"].as_py(), seqs["max"].as_py()
    path = root / data_class / day.isoformat() / f"s-{first:020d}-{last:020d}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".tmp")
    pq.write_table(table, draft, compression="zstd", compression_level=3, row_group_size=ROW_GROUP)
    sync_file(draft)
    draft.rename(path)
    for folder in (path.parent, path.parent.parent, root):
        sync_folder(folder)
    data = path.read_bytes()
    return Segment(
        path=path.relative_to(root).as_posix(),
        data_class=data_class,
        day=day,
        rows=table.num_rows,
        first=first,
        last=last,
        min_ts=moments["min"].as_py(),
        max_ts=moments["max"].as_py(),
        sha256=hashlib.sha256(data).hexdigest(),
        bytes=len(data),
    )
