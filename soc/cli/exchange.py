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
    playbooks.command("key")(playbooks_key)
    playbooks.command("sign")(playbooks_sign)


def playbooks_export(slug: str, out: Out = None, home: HomeOption = HOME) -> None:
    """Write a playbook as CACAO Security Playbooks 2.0; `import` reads it back without loss."""
    from soc.app.exchange import exported

    write(exported(suite_at(home), slug), out)


def write(data: bytes, out: Path | None) -> None:
    """Write *data* to *out*, by default to standard output."""
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


def playbooks_key(
    name: Annotated[str, typer.Argument(help="The person, such as user:alice.")],
    out: Annotated[Path, typer.Option(help="The file of the private key, for its owner alone.")],
    as_json: Json = False,
) -> None:
    """Make a key to sign playbooks with; print what settings name its signatures by."""
    from soc.respond.signature import make_key  # defers pydantic

    key = make_key(name, out)
    line = f'respond: {{signers: {{"{key.signer}": "{key.public()}"}}}}'
    show({"signer": key.signer, "public": key.public()}, as_json, [line])


def playbooks_sign(
    file: Given,
    key: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="A private key.")],
    out: Annotated[
        Path | None, typer.Option(help="The signature; by default FILE.sig beside the playbook.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Release a playbook: sign what it says; who wrote it cannot."""
    from soc import plugins
    from soc.app.exchange import signed

    target, signature = signed(file, key, out, plugins.load("soc.actions"))
    told = {"file": str(target), "signer": signature.signer, "digest": signature.digest}
    show(told, as_json, [str(target)])
