"""Find content: what is packaged, and what a site lays over it."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import soc

SUFFIXES = frozenset({".yml", ".yaml"})


def packaged(kind: str) -> Path:
    """Return the folder of *kind* that came with the suite: in a wheel, or in a checkout."""
    package = Path(soc.__file__).parent
    inside = package / "_content" / kind
    return inside if inside.is_dir() else package.parent / kind


def files(folder: Path) -> Iterator[Path]:
    """Yield every content file under *folder*, sorted; tests beside content are none."""
    if folder.is_file():
        yield folder
        return
    for path in sorted(folder.rglob("*")):
        if path.suffix in SUFFIXES and not path.stem.endswith(".test") and path.is_file():
            yield path


def overlay(folders: Iterable[Path]) -> tuple[tuple[Path, ...], tuple[tuple[Path, Path], ...]]:
    """Return the files that count, and each pair (hidden, instead) where two share a name.

    Later folders replace earlier ones, file by file, by stem.
    """
    chosen: dict[str, Path] = {}
    replaced: list[tuple[Path, Path]] = []
    for folder in folders:
        for path in files(folder):
            if path.stem in chosen and not chosen[path.stem].is_relative_to(folder):
                replaced.append((chosen[path.stem], path))
            chosen[path.stem] = path
    return tuple(sorted(chosen.values())), tuple(replaced)
