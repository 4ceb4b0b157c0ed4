"""Commands about models of what is usual."""

from pathlib import Path
from typing import Annotated, Any

import typer

from soc.cli.base import Json, checking, group, show, table, warn

Given = Annotated[
    Path,
    typer.Option(
        "--input",
        exists=True,
        dir_okay=False,
        help="CSV with a head line, or .npz with an array X.",
    ),
]
Out = Annotated[Path, typer.Option(dir_okay=False, help="CSV: row (from 0), score, reasons.")]
Reference = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="Learn from this file instead of the input."),
]
Labels = Annotated[
    str, typer.Option(help="Column (array) of 1, 0 or nothing that scores are measured by.")
]
Verdicts = Annotated[
    str, typer.Option(help="Column (array) of 1, 0 or nothing; from 20 on they choose weights.")
]


def add(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    anomaly = group("Models of what is usual, and how strange rows are to them.")
    anomaly.command("score")(anomaly_score)
    anomaly.command("profiles")(anomaly_profiles)
    app.add_typer(anomaly, name="anomaly")


def anomaly_score(
    profile: Annotated[str, typer.Option(help="Such as tabular-contaminated: see `profiles`.")],
    file: Given,
    out: Out,
    reference: Reference = None,
    labels: Labels = "",
    verdicts: Verdicts = "",
    ids: Annotated[
        str, typer.Option("--id", help="Column that names rows, if it is there.")
    ] = "id",
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same scores.")] = 2015,
    as_json: Json = False,
) -> None:
    """Score each row of a table: higher is stranger. A score is no verdict.

    Without --reference rows are compared with each other. Bad input is refused whole, exit code 2.
    With --labels or --verdicts the result is JSON.
    """
    from soc.app.scoring import Wanted, score, view  # defers numpy and scikit-learn
    from soc.errors import Refused

    wanted = Wanted(
        profile=profile,
        input=file,
        out=out,
        reference=reference,
        labels=labels,
        verdicts=verdicts,
        ids=ids,
        seed=seed,
    )
    try:
        with checking():
            scored = score(wanted)
    except Refused as refused:
        warn(refused)
        raise typer.Exit(2) from refused
    told = view(scored, out)
    if scored.weighing and not scored.weighing.chosen:
        warn(f"verdicts: {scored.weighing.why}")
    for moved in scored.moved:
        warn(
            f"{moved.column} has moved ({moved.level}): stability index {moved.index:.3g} of "
            f"{moved.rows} rows against {moved.reference}; scores compare with what was"
        )
    show(told, as_json or bool(labels or verdicts), [_line(told)])


def _line(told: dict[str, Any]) -> str:
    return (
        f"{told['out']}: {told['rows']} rows scored by {told['profile']}, "
        f"which learned from {told['learned_from']} of {told['reference_rows']}"
    )


def anomaly_profiles(as_json: Json = False) -> None:
    """List the profiles: which rows each is for, and its members."""
    from soc.detect.strangeness.profile import PROFILES  # defers numpy

    rows = [
        {
            "name": name,
            "for": profile.about,
            "members": ", ".join(member.name for member in profile.members),
        }
        for name, profile in PROFILES.items()
    ]
    show(rows, as_json, table(rows, "name", "members", "for"))
