"""Score the rows of a file by a profile: read, learn, judge, weigh, compare, write."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from soc.detect.strangeness import archive, sheet
from soc.detect.strangeness.drift import Drift, Level, drift
from soc.detect.strangeness.measure import average_precision, check_both, roc_area
from soc.detect.strangeness.model import Model, Opinions, Reason, among, fit
from soc.detect.strangeness.profile import profile_of
from soc.detect.strangeness.table import UNSAID, Table, check, check_learnable, in_columns
from soc.detect.strangeness.verdicts import Weighing, weigh
from soc.errors import Refused

LARGEST = 2**31
"""Bytes of one file: what is larger is scored in parts, with one reference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to score, and how. labels, verdicts, ids: names of columns, empty for none."""

    profile: str
    input: Path
    out: Path
    reference: Path | None
    labels: str
    verdicts: str
    ids: str
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What came of it. metrics: by labels, of the scores that were written."""

    model: Model
    rows: int
    metrics: Mapping[str, Any] | None
    weighing: Weighing | None
    drift: tuple[Drift, ...]

    @property
    def moved(self) -> tuple[Drift, ...]:
        """Return the columns that are not as the reference was."""
        return tuple(one for one in self.drift if one.level is not Level.NONE)


def score(wanted: Wanted) -> Scored:
    """Write the scores of *wanted*; raises ContentError or Refused before anything is written."""
    profile = profile_of(wanted.profile)
    _check_out(wanted)
    table = _read(wanted.input, [n for n in (wanted.labels, wanted.verdicts) if n], wanted.ids)
    learned = _read(wanted.reference, (), wanted.ids) if wanted.reference else None
    check_learnable(learned or table, table.columns)
    rows = in_columns(learned or table, table.columns)
    model = fit(profile, rows, table.columns, wanted.seed)
    opinions = model.judge(table.rows) if learned else among(model, table.rows)
    weighing = _weighing(table, wanted, model, opinions)
    if weighing and weighing.chosen:
        model = model.weighed(weighing.chosen)
        opinions = Opinions(opinions.voices, opinions.voices @ model.weights)
    metrics = _metrics(table, wanted.labels, model, opinions)
    moved = drift(table.rows, rows, table.columns) if learned else ()
    _write(wanted.out, opinions, model.reasons(table.rows, opinions))
    return Scored(
        model=model, rows=len(table.rows), metrics=metrics, weighing=weighing, drift=moved
    )


def _check_out(wanted: Wanted) -> None:
    read = {path.resolve() for path in (wanted.input, wanted.reference) if path}
    if wanted.out.resolve() in read:
        raise Refused(f"--out: {wanted.out} is what is read: name another file")


def _read(path: Path, labels: Sequence[str], ids: str) -> Table:
    if path.stat().st_size > LARGEST:
        raise Refused(f"{path}: over {LARGEST} bytes: score it in parts, with one --reference")
    read = archive.read if path.suffix.lower() == ".npz" else sheet.read
    table = read(path, path.read_bytes(), labels, ids)
    check(table)
    return table


def _weighing(table: Table, wanted: Wanted, model: Model, opinions: Opinions) -> Weighing | None:
    if not wanted.verdicts:
        return None
    said = table.labels[wanted.verdicts]
    told = said != UNSAID
    return weigh(opinions.voices[told], said[told], model.weights, wanted.seed)


def _metrics(
    table: Table, labels: str, model: Model, opinions: Opinions
) -> Mapping[str, Any] | None:
    """Return how well scores put what labels call strange first, by all members and by each."""
    if not labels:
        return None
    told = table.labels[labels] != UNSAID
    said = table.labels[labels][told]
    check_both(said, f"{table.path}: labels {labels}")
    names = [member.name for member in model.profile.members]
    voices = {"all": opinions.scores, **dict(zip(names, opinions.voices.T, strict=True))}
    measured = {
        name: {"ap": average_precision(said, voice[told]), "auc": roc_area(said, voice[told])}
        for name, voice in voices.items()
    }
    return {
        **measured.pop("all"),
        "n": len(said),
        "strange": int(said.sum()),
        "chance_ap": float(said.mean()),
        "members": measured,
    }


def _write(out: Path, opinions: Opinions, reasons: Sequence[Sequence[Reason]]) -> None:
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("row", "score", "reasons"))
        writer.writerows(
            (row, f"{score:.6f}", "; ".join(map(str, why)))
            for row, (score, why) in enumerate(zip(opinions.scores, reasons, strict=True))
        )


def view(scored: Scored, out: Path) -> dict[str, Any]:
    """Return *scored* as JSON has it."""
    model = scored.model
    members = [member.name for member in model.profile.members]
    return {
        "profile": model.profile.name,
        "seed": model.seed,
        "rows": scored.rows,
        "reference_rows": model.of,
        "learned_from": len(model.reference),
        "columns": list(model.columns),
        "weights": dict(zip(members, model.weights, strict=True)),
        "metrics": scored.metrics,
        "verdicts": asdict(scored.weighing) if scored.weighing else None,
        "drift": [asdict(one) for one in scored.drift],
        "out": str(out),
    }
