"""Several comparisons at once, one error for all of them."""

from collections.abc import Sequence


def holm(values: Sequence[float]) -> list[float]:
    """Return p-values that may be held against one alpha, though there are several (Holm 1979)."""
    order = sorted(range(len(values)), key=values.__getitem__)
    adjusted, highest = [0.0] * len(values), 0.0
    for rank, which in enumerate(order):
        highest = max(highest, min(1.0, (len(values) - rank) * values[which]))
        adjusted[which] = highest
    return adjusted
