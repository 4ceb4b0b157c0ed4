"""Commands that bring playbooks out of this suite, into it, and vouch for them."""

from pathlib import Path
from typing import Annotated

import typer

from soc.cli.base import HOME, HomeOption, Json, show, suite_at, warn

Out = Annotated[Path | None, typer.Option("--out", help="The file; by default standard output.")]
Given = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A file.")]


def add(playbooks: typer.Typer) -> None:
    """Add the commands to the group *playbooks*."""
    playbooks.command("export")(playbooks_export)
    playbooks.command("import")(playbooks_import)


def playbooks_export(slug: str, out: Out = None, home: HomeOption = HOME) -> None:
    """Write a playbook as CACAO Security Playbooks 2.0; `import` reads it back without loss."""
    from soc.app.exchange import exported

    data = exported(suite_at(home), slug)
    if out is None:
        typer.echo(data, nl=False)
    else:
        out.write_bytes(data)


def playbooks_import(
    file: Given,
    out: Annotated[Path, typer.Option(help="The folder of the new file.")] = Path(),
    as_json: Json = False,
) -> None:
    """Write a CACAO 2.0 playbook as one of ours; say what has no place in it.

    One of others is switched off: a person reads it and says who may start it. What no action
    does is asked of people. Its original lies beside it, as it came.
    """
    from soc import plugins
    from soc.app.exchange import take

    taken = take(file, out, plugins.load("soc.actions"))
    notes = [{"place": note.place, "why": note.why} for note in taken.imported.notes]
    for note in taken.imported.notes:
        warn(note)
    lines = [str(path) for path in taken.files]
    result = {
        "playbook": taken.imported.playbook.name,
        "files": lines,
        "is_ours": taken.imported.is_ours,
        "not_translated": notes,
    }
    show(result, as_json, lines)
