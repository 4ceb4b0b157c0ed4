"""What a home knows of its part of a cluster: which shard it writes, and how far that has got."""

from pathlib import Path

import orjson

from soc.clock import nonce
from soc.errors import LogError
from soc.logs.files import write_durably
from soc.model.shard import first_of, shard_of

NAME = "shipped.json"
PLACE = "shard.json"


class Shipped:
    """The last number that the cluster has for sure, and that can be found there.

    Any process reads the mark under *root*; the lock's holder moves it.
    """

    def __init__(self, root: Path) -> None:
        self._path = root / NAME

    def read(self, shard: int = 0) -> int:
        """Return the last number that the cluster has; if it has none, where *shard* begins."""
        try:
            found = orjson.loads(self._path.read_bytes())["upto"]
        except FileNotFoundError:
            return first_of(shard)
        except (orjson.JSONDecodeError, KeyError, TypeError) as broken:
            raise LogError(f"{self._path}: no mark of what was shipped: restore it") from broken
        return int(found)

    def move(self, upto: int) -> None:
        """Put the mark at *upto*; return when that is on the disk."""
        write_durably(self._path, orjson.dumps({"upto": upto}))


class Place:
    """The id of the home under *root*, and the shard that it writes."""

    def __init__(self, root: Path) -> None:
        self._root, self._path = root, root / PLACE

    def shard(self) -> int | None:
        """Return the shard that the home writes; None before it has one."""
        if (shard := self._read().get("shard")) is not None:
            return int(shard)
        # A home of an earlier version has events and no such file.
        if (self._root / NAME).exists():
            return shard_of(Shipped(self._root).read())
        return 0 if any(self._root.glob("wal/*")) else None

    def home(self) -> str:
        """Return the id of the home, which is made once."""
        if home := self._read().get("home"):
            return str(home)
        home = nonce(16)
        write_durably(self._path, orjson.dumps({"home": home}))
        return home

    def keep(self, shard: int) -> None:
        """Remember that the home writes *shard*."""
        if self._read().get("shard") != shard:
            write_durably(self._path, orjson.dumps({"home": self.home(), "shard": shard}))

    def _read(self) -> dict[str, str | int]:
        try:
            found: dict[str, str | int] = orjson.loads(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except orjson.JSONDecodeError as broken:
            raise LogError(f"{self._path}: it does not say which shard this is") from broken
        return found
