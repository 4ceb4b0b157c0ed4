"""Events that are decided together, as they were written."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Written:
    """Events in *places* among all that were given.

    texts: what they were written as, if that is known. read: gives the event in a place, again.
    """

    places: Sequence[int]
    texts: Sequence[bytes] | None
    read: Callable[[int], Document]

    def document(self, index: int) -> Document:
        """Return one of the events."""
        return self.read(self.places[index])

    def documents(self) -> Iterator[Document]:
        """Yield each event."""
        return map(self.read, self.places)
