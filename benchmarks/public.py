"""Public Sigma rules, from the folder TEST_DATA."""

import io
import os
import tarfile
from pathlib import Path

import zstandard

FOLDERS = ("rules/windows", "rules-emerging-threats", "rules-threat-hunting")
"""Those for the systems that the public events are of."""


def data() -> Path | None:
    """Return the folder that TEST_DATA names, or None."""
    named = os.environ.get("TEST_DATA")
    return Path(named) if named else None


def unpack(data: Path, into: Path) -> list[Path]:
    """Put the rules of *data* into a folder; return where there are those for FOLDERS."""
    octets = (data / "sigmahq_rules.tar.zst").read_bytes()
    plain = zstandard.ZstdDecompressor().stream_reader(octets).read()
    with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as opened:
        opened.extractall(into, filter="data")
    return [into / name for name in FOLDERS]
