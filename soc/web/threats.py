"""The API of the threat model: risks, controls, and the evidence that they rest on."""

from fastapi import APIRouter

from soc.access.permissions import Permission
from soc.report.threats import document
from soc.threats.scale import Proof, Weighed, best_class
from soc.web.asked import Plain, needs
from soc.web.front import Front

WAITS = 30.0
FAILING = "failing"


def add(routes: APIRouter, front: Front) -> None:
    """Add the route of threats to *routes*."""
    reads = needs(front, Permission.READ)

    @routes.get("/threats", tags=["threats"], dependencies=[reads])
    def threats() -> Plain:
        """Return the report on the threat model, as of a minute ago at most.

        It is what ``soc threats report`` writes. 503 while rules are read for the first time.
        """
        return told(front, WAITS)


def told(front: Front, patience: float) -> Plain:
    """Return the report; raises Busy while it is being made, ContentError for a broken model."""
    return document(front.threats.ask(patience).answer)


def by_risk(report: Plain) -> list[Plain]:
    """Return the risks of *report*, the worst first, each with its controls and their ages."""
    controls = {one["id"]: _control(one) for one in report["controls"]}
    return [
        {**risk, "controls": [controls[name] for name in risk["controls"]]}
        for risk in report["risks"]
    ]


def _control(one: Plain) -> Plain:
    """Return a control with its best proof, and its newest evidence with the limit of that."""
    weighed = [
        Weighed(Proof(seen["proof"]), seen["freshness"], seen["required"], seen["state"] == FAILING)
        for seen in one["evidence"]
    ]
    seen = [piece for piece in one["evidence"] if piece["observation"]]
    newest = max(seen, key=lambda piece: str(piece["observation"]["at"]), default=None)
    return {
        **one,
        "proof": str(best_class(weighed)),
        "newest": newest["observation"]["at"] if newest else None,
        "limit": newest["max_age"] if newest else None,
    }
