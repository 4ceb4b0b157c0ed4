"""The command line's door: every command, and what an error looks like."""

import gc
import sys

import typer

from soc.cli import (
    access,
    anomaly,
    demo,
    events,
    governance,
    intelligence,
    kpis,
    lists,
    playbooks,
    reaching,
    response,
    rounds,
    rules,
    running,
    sources,
    suppressions,
    triage,
    upkeep,
)

GARBAGE_AFTER = 50_000
"""A start makes much and drops little: looking for garbage sooner takes long."""

app = typer.Typer(
    name="soc",
    help="Security operations for platforms that hand out public money on chain.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
MODULES = (
    demo,
    running,
    events,
    sources,
    rules,
    playbooks,
    triage,
    rounds,
    kpis,
    intelligence,
    anomaly,
    suppressions,
    lists,
    response,
    reaching,
    access,
    governance,
    upkeep,
)
for module in MODULES:
    module.add(app)


def run() -> None:
    """Run one command; an error that the suite foresaw is one line on stderr."""
    from soc.errors import SocError

    gc.set_threshold(GARBAGE_AFTER)
    try:
        app()
    except SocError as foreseen:
        typer.echo(str(foreseen), err=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(1)
    except OSError as broken:
        typer.echo(f"{broken.filename or 'soc'}: {broken.strerror or broken}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    run()
