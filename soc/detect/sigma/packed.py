"""Remember very many hits as columns, which become values only for whoever looks at them."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
import orjson

from soc.detect.sigma.memory import Kept

Ints = npt.NDArray[np.int64]
Group = tuple[str, ...]


class Packed(Mapping[str, tuple[Kept, ...]]):
    """The hits of each group, oldest first, as ``Counts`` has them.

    names: of the groups. sizes: how many hits each has. ats, seqs: of the hits of one group after
    the other.
    """

    def __init__(self, names: Sequence[Group], sizes: Ints, ats: Ints, seqs: Ints) -> None:
        self.names, self.sizes, self.ats, self.seqs = names, sizes, ats, seqs

    @cached_property
    def _groups(self) -> dict[str, tuple[Kept, ...]]:
        made = [
            Kept(at, seq, "") for at, seq in zip(self.ats.tolist(), self.seqs.tolist(), strict=True)
        ]
        groups, begin = {}, 0
        for name, size in zip(self.names, self.sizes.tolist(), strict=True):
            groups[orjson.dumps(name).decode()] = tuple(made[begin : begin + size])
            begin += size
        return dict(sorted(groups.items()))

    def __getitem__(self, key: str) -> tuple[Kept, ...]:
        return self._groups[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._groups)

    def __len__(self) -> int:
        return len(self.names)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return len(self) == len(other) and self._groups == dict(other)

    __hash__ = None  # type: ignore[assignment]  # as of every mapping


def pack(groups: Mapping[str, Sequence[Kept]]) -> Packed | None:
    """Return *groups* as columns, or None if their hits say more than when they were."""
    if isinstance(groups, Packed):
        return groups
    hits = [hit for of_group in groups.values() for hit in of_group]
    if any(hit.value or hit.above for hit in hits):
        return None
    sizes = np.array(list(map(len, groups.values())), np.int64)
    ats, seqs = (np.array([hit[field] for hit in hits], np.int64) for field in (0, 1))
    return Packed([tuple(orjson.loads(key)) for key in groups], sizes, ats, seqs)
