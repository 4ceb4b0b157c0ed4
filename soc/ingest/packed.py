"""Open files of events, packed or not, so that one that ends too early is told."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

BROKEN = (OSError, EOFError, zlib.error)
"""What reading a damaged file raises."""


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Give the bytes in *path*, unpacked if its name ends in .gz or .zst."""
    with path.open("rb") as raw:
        if path.suffix.lower() == ".zst":
            import pyarrow as pa  # heavy, and most files are not packed so

            # Unlike others, this one tells of a file that ends too early, and reads every frame.
            yield io.BufferedReader(pa.CompressedInputStream(pa.PythonFile(raw), "zstd"), 1 << 20)
        elif path.suffix.lower() == ".gz":
            with gzip.GzipFile(fileobj=raw) as packed:
                yield cast(IO[bytes], packed)
        else:
            yield raw
