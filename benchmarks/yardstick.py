"""What one thread of this machine does now: decode, pack and sync events, 500 at a time."""

import os
import statistics
import tempfile
import time
from pathlib import Path

import orjson
import zstandard
from events import lines

SIZE = 500


def once(made: list[bytes], folder: Path) -> float:
    """Return events in a second: orjson decode, zstd level 1 and fdatasync for each 500."""
    packer, path = zstandard.ZstdCompressor(level=1), folder / "yardstick"
    with path.open("wb", buffering=0) as file:
        began = time.perf_counter()
        for begin in range(0, len(made), SIZE):
            for line in made[begin : begin + SIZE]:
                orjson.loads(line)
            file.write(packer.compress(b"\n".join(made[begin : begin + SIZE])))
            os.fdatasync(file.fileno())
        seconds = time.perf_counter() - began
    path.unlink()
    return len(made) / seconds


def measure(folder: Path, runs: int = 5) -> int:
    """Return the median of some runs, in events a second."""
    made = list(lines(50_000))
    return round(statistics.median(once(made, folder) for _ in range(runs)))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(measure(Path(folder)))
