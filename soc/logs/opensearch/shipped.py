"""How far the cluster has got: the last number that it has for sure, and can be found there."""

from pathlib import Path

import orjson

from soc.errors import LogError
from soc.logs.files import write_durably

NAME = "shipped.json"


class Shipped:
    """The mark under *root*; any process reads it, the lock's holder moves it."""

    def __init__(self, root: Path) -> None:
        self._path = root / NAME

    def read(self) -> int:
        """Return the last number that the cluster has; 0 if it has none."""
        try:
            found = orjson.loads(self._path.read_bytes())["upto"]
        except FileNotFoundError:
            return 0
        except (orjson.JSONDecodeError, KeyError, TypeError) as broken:
            raise LogError(f"{self._path}: no mark of what was shipped: restore it") from broken
        return int(found)

    def move(self, upto: int) -> None:
        """Put the mark at *upto*; return when that is on the disk."""
        write_durably(self._path, orjson.dumps({"upto": upto}))
