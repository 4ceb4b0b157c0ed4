"""Read the files of the Windows event log."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from evtx import PyEvtxParser

from soc.errors import Refused
from soc.ingest.eventlog import flatten


def read_evtx(path: Path) -> Iterator[tuple[int, dict[str, Any] | Refused]]:
    """Yield each record of the file at *path* as flat JSON, with its number in the file, from 1.

    A record that cannot be read comes as the reason. Raises Refused if it is no such file.
    """
    try:
        records = iter(PyEvtxParser(str(path)).records_json())
    except (OSError, RuntimeError) as broken:
        raise Refused(f"{path} is no event log: {broken}") from broken
    number = 0
    while True:
        number += 1
        try:
            record = next(records, None)
            if record is None:
                return
            yield number, flatten(orjson.loads(record["data"]))
        except (OSError, RuntimeError, ValueError) as broken:
            yield number, Refused(f"record {number} cannot be read: {broken}")
