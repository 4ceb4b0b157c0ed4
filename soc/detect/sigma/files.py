"""Find rule files, each once, in the same order everywhere."""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from soc.errors import Problem

SUFFIXES = (".yml", ".yaml")
PLACEHOLDERS = "placeholders.yml"
"""Says in a folder of rules what their placeholders stand for."""
SAMPLES = (".test.yml", ".test.yaml")


class RuleFile(NamedTuple):
    """A file, and by what one sees that it was changed: time in ns, size in bytes, inode."""

    name: str
    mtime_ns: int
    size: int
    inode: int

    @property
    def path(self) -> Path:
        """Return where it is: the same object each time."""
        return _path(self.name)


def find_files(paths: Sequence[Path]) -> Iterator[RuleFile | Problem]:
    """Yield each rule file under *paths* once; a path that is missing is a problem."""
    seen: set[str] = set()
    for path in paths:
        if not path.exists():
            yield Problem(path, 1, "there is no such file or folder")
            continue
        given, real = str(path), os.path.realpath(path)
        found: dict[str, tuple[bool, os.stat_result]] = {}
        if path.is_dir():
            _look(given, found)
        else:
            found[given] = False, path.stat()
        for name in sorted(found):
            is_link, about = found[name]
            same = os.path.realpath(name) if is_link else real + name[len(given) :]
            if same not in seen and stat.S_ISREG(about.st_mode):
                seen.add(same)
                yield RuleFile(name, about.st_mtime_ns, about.st_size, about.st_ino)


def is_rule_file(path: Path) -> bool:
    """Return whether *path* is named as a rule is; samples beside one are none."""
    return _is_rule(path.name)


def _is_rule(name: str) -> bool:
    lower = name.lower()
    return lower.endswith(SUFFIXES) and not lower.endswith(SAMPLES) and name != PLACEHOLDERS


def _look(folder: str, found: dict[str, tuple[bool, os.stat_result]]) -> None:
    """Add what is named as a rule below *folder*: whether it is a link, and what it leads to."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _look(entry.path, found)
            elif _is_rule(entry.name):
                with suppress(OSError):  # a link to nothing
                    found[entry.path] = entry.is_symlink(), entry.stat()


@lru_cache(maxsize=100_000)
def _path(name: str) -> Path:
    return Path(name)
