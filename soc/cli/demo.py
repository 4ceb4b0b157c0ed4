"""``soc demo``: see the whole main job without setting anything up."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from soc.cli.base import Json, show


def add(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command()(demo)


def demo(
    home: Annotated[Path | None, typer.Option(help="A new directory; it is always left.")] = None,
    seed: Annotated[int, typer.Option(help="Which round is played.")] = 1,
    keep: Annotated[bool, typer.Option("--keep", help="Leave suite and platform running.")] = False,
    as_json: Json = False,
) -> None:
    """Play the main job: a funding round with honest donors and five attacks, in real time."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from soc.demo.play import play
    from soc.demo.table import lines_of

    place = home or _unused(Path("demo-home"))
    columns = (
        TextColumn("{task.percentage:>3.0f} %"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("starting", total=1.0)

        def progress(share: float, what: str) -> None:
            bar.update(task, completed=share, description=what or None)
            if keep and what.startswith("console"):
                bar.console.print(what)

        result = play(place, seed, progress, keep=keep)
    where = shlex.quote(str(place))
    lines = [
        *lines_of(result),
        "",
        *(f"{name:7} {path}" for name, path in result["files"].items()),
        "",
        f"To look at it, make a user: soc users add you --role approver --home {where}",
        f"then soc serve --home {where} and open http://127.0.0.1:8780/ in a browser.",
    ]
    show(result, as_json, lines)


def _unused(place: Path) -> Path:
    """Return *place*, or the first of its numbered neighbours that is free."""
    number = 2
    free = place
    while free.exists():
        free, number = place.with_name(f"{place.name}-{number}"), number + 1
    return free
