"""What commands about users ask for alike: the moment, the currency and its unit, the seed."""

from collections.abc import Mapping
from math import isfinite
from typing import Annotated

import typer

AsOf = Annotated[str, typer.Option(help="The moment T; nothing later is seen. By default now.")]
Currency = Annotated[
    str, typer.Option(help="Chain and token, such as 1:USDC; by default as settings say.")
]
Decimals = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=38,
        help="A token has 10 to this power of smallest units; by default as settings say.",
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same answer.")]
Without = Annotated[list[str] | None, typer.Option(help="A feature to leave out; may be repeated.")]


def interval(told: Mapping[str, float | None], form: str = ".3f") -> str:
    """Return a figure with its interval, as tables of commands show it."""
    if not all(value is not None and isfinite(value) for value in told.values()):
        return "No data"
    value, low, high = (format(told[key], form) for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"
