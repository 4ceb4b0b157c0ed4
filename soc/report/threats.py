"""The report on a threat model: ``report.json``, ``report.md`` and ``report.html``.

The JSON is the report; the others show what it says. The same assessment gives the same bytes.
"""

import hashlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

from markupsafe import Markup

from soc.content.digest import canonical
from soc.model.value import rfc3339
from soc.report import render
from soc.threats.assess import Assessment, ControlResult, RiskResult
from soc.threats.model import Risk
from soc.threats.scale import BAND, CAPS, FLOOR

SCHEMA = "commonwatch.threat-report/1"
METHOD = """\
Likelihood and impact are bands from 1 to 5: one band more is 4 times as often, or 5 times as much.
Controls move a risk as far as they are strong by design and as far as evidence shows them at work.
No control, and no number of them, takes more than nine tenths away.
Evidence is fresh up to its greatest age, then counts less; from twice that age on it is nothing.
What failed last counts as nothing until it passes. Less evidence never gives less risk.
Files have no history: settings, rules and playbooks are taken as read for this report, as seen \
at the last sign of life in the store before it.
""".splitlines()
LIMITS = f"""\
Strengths of controls are judgements; low and high show them off by {BAND} in either direction.
That a rule fired shows that it can; it does not show that nothing was missed.
Scores compare one moment with another. They are no forecast, and no sum of money.
People, wallets and addresses are left out; free text is printed without them.
""".splitlines()


def write(assessment: Assessment, out: Path) -> tuple[Path, ...]:
    """Write the report into the folder *out*, made if need be; return its files."""
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for name, data in sorted(files(assessment).items()):
        (out / name).write_bytes(data)
        written.append(out / name)
    return tuple(written)


def files(assessment: Assessment) -> dict[str, bytes]:
    """Return each file of the report, by name."""
    plain = document(assessment)
    data = canonical(plain)
    values = {
        **plain,
        "sha256": hashlib.sha256(data).hexdigest(),
        "control_of": {control["id"]: control for control in plain["controls"]},
    }
    linked = [{**one, "link": _link(one["url"])} for one in plain["incidents"]]
    return {
        "report.json": data,
        "report.md": render.markdown("threats.md", {**values, "incidents": linked}).encode(),
        "report.html": render.html("threats.html", values).encode(),
    }


def document(assessment: Assessment) -> dict[str, Any]:
    """Return the report as JSON values."""
    model = assessment.model
    risks = {risk.id: risk for risk in model.risks}
    return {
        "schema": SCHEMA,
        "as_of": rfc3339(assessment.as_of),
        "tool": f"commonwatch {version('commonwatch')}",
        "model": {
            "name": model.name,
            "version": model.version,
            "title": model.title,
            "description": model.description,
            "owner": model.owner,
            "reviewed": model.reviewed.isoformat(),
            "not_covered": list(model.not_covered),
            "digest": model.digest,
        },
        "evidence_digest": assessment.evidence,
        "summary": assessment.counts.model_dump(mode="json"),
        "risks": [_risk(result, risks[result.id]) for result in assessment.risks],
        "controls": [_control(control) for control in assessment.controls],
        "incidents": [one.model_dump(mode="json") for one in model.incidents],
        "scale": {"floor": FLOOR, "band": BAND, "caps": {str(k): cap for k, cap in CAPS.items()}},
        "method": METHOD,
        "limits": LIMITS,
    }


def _risk(result: RiskResult, risk: Risk) -> dict[str, Any]:
    written = risk.model_dump(mode="json", exclude={"id", "title", "watch", "controls", "inherent"})
    inherent = {**risk.inherent.model_dump(mode="json"), "score": risk.inherent.score}
    return {**written, **result.model_dump(mode="json"), "inherent": inherent}


def _control(control: ControlResult) -> dict[str, Any]:
    return control.model_dump(mode="json")


def _link(url: str | None) -> Markup:
    """Return a link in Markdown; a model's addresses hold no space, quote or angle bracket."""
    return Markup(f"<{url}>" if url else "")  # noqa: S704 - checked when the model was read
