"""Keep views by version: a folder each, whole or not there, with what it was made from."""

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import file_digest
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from soc.errors import NotFound, Refused
from soc.intelligence.view.gather import Gathered
from soc.intelligence.view.marks import MARKS
from soc.intelligence.view.settle import REFUSED, TRANSACTIONS, USERS
from soc.logs.files import sync_file, sync_folder, write_durably

FORMAT = "commonwatch.view/2"
KEPT = 5
"""Versions that are kept: the newest."""
MANIFEST = "manifest.json"
AGAIN = "run soc intelligence build --full"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a version was made of.

    upto: the last number of an event that it knows, by shard. digests: of each of its files.
    """

    format: str
    version: int
    made: str
    upto: Mapping[str, int]
    events: int
    rows: Mapping[str, int]
    refused: Mapping[str, int]
    code: str
    digests: Mapping[str, str]

    @property
    def moment(self) -> datetime:
        """When it was made."""
        return datetime.fromisoformat(self.made)


@dataclass(frozen=True, slots=True)
class View:
    """One version: its typed tables, and what later events are added to."""

    manifest: Manifest
    users: pa.Table
    transactions: pa.Table
    refused: pa.Table
    marks: pa.Table
    gathered: Gathered


def versions(root: Path) -> list[int]:
    """Return the versions below *root*, oldest first."""
    found = root.glob(f"*/{MANIFEST}") if root.is_dir() else ()
    return sorted(int(path.parent.name) for path in found if path.parent.name.isdigit())


def load(root: Path, version: int | None = None) -> View:
    """Return a version of the view, by default the newest.

    Raises NotFound where there is none, and Refused if a file is not what was written.
    """
    known = versions(root)
    wanted = version if version is not None else next(reversed(known), None)
    if wanted is None or wanted not in known:
        raise NotFound(
            "view", str(version) if version is not None else "(run soc intelligence build)"
        )
    folder = _folder(root, wanted)
    manifest = Manifest(**orjson.loads((folder / MANIFEST).read_bytes()))
    if manifest.format != FORMAT:
        raise Refused(f"{folder}: its format is {manifest.format}: {AGAIN}")
    read = {name: _read(folder / name, digest) for name, digest in manifest.digests.items()}
    typed = {"users": USERS, "transactions": TRANSACTIONS, "refused": REFUSED, "marks": MARKS}
    tables = {name: read[f"{name}.parquet"].cast(schema) for name, schema in typed.items()}
    gathered = Gathered(read["gifts.parquet"], read["wallets.parquet"])
    return View(manifest, **tables, gathered=gathered)


def put(root: Path, tables: Mapping[str, pa.Table], facts: Mapping[str, object]) -> Manifest:
    """Keep *tables* as the next version, and forget all but the newest; return its manifest."""
    version = max(versions(root), default=0) + 1
    draft = root / f"draft-{version}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    digests = {}
    for name, table in sorted(tables.items()):
        path = draft / f"{name}.parquet"
        pq.write_table(table, path, compression="zstd")
        sync_file(path)
        digests[path.name] = _digest(path)
    rows = {name: table.num_rows for name, table in sorted(tables.items())}
    given = {"format": FORMAT, "version": version, "rows": rows, "digests": digests, **facts}
    manifest = Manifest(**given)  # type: ignore[arg-type]  # its own field names
    write_durably(draft / MANIFEST, orjson.dumps(asdict(manifest), option=orjson.OPT_SORT_KEYS))
    draft.rename(_folder(root, version))
    sync_folder(root)
    for old in versions(root)[:-KEPT]:
        shutil.rmtree(_folder(root, old))
    return manifest


def _folder(root: Path, version: int) -> Path:
    return root / f"{version:06d}"


def _read(path: Path, digest: str) -> pa.Table:
    if not path.is_file() or _digest(path) != digest:
        raise Refused(f"{path}: it is not what was written: {AGAIN}")
    return pq.read_table(path)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{file_digest(file, 'sha256').hexdigest()}"
