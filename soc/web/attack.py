"""The API of ATT&CK coverage: which techniques rules name, how those stand, and what fired."""

from collections.abc import Iterable, Mapping
from typing import Literal

from fastapi import APIRouter

from soc.access.permissions import Permission
from soc.app.rulebook import Book
from soc.detect.sigma.attack import TACTICS, VERSION, techniques
from soc.detect.sigma.navigator import Covered, Standing, is_aadapt, is_known, layer
from soc.store import rule_states
from soc.web.asked import Plain, needs
from soc.web.front import Front
from soc.web.rules import FIRED, WAITS, fired_since

ORDER = (
    *("reconnaissance", "resource-development", "initial-access", "execution", "persistence"),
    *("privilege-escalation", "stealth", "defense-impairment", "credential-access", "discovery"),
    *("lateral-movement", "collection", "command-and-control", "exfiltration", "impact"),
)
"""Tactics as ATT&CK has them from left to right."""
NO_TACTIC = "no-tactic"
Show = Literal["", "fired", "unproven"]
"""Which techniques are wanted: those that fired in 30 days, or those that no rule proves."""


def add(routes: APIRouter, front: Front) -> None:
    """Add the routes of coverage to *routes*."""
    reads = needs(front, Permission.READ)

    @routes.get("/attack", tags=["rules"], dependencies=[reads])
    def attack(show: Show = "") -> Plain:
        """Return techniques by tactic with the rules that name them, and AADAPT beside.

        A technique stands under each tactic that a rule naming it names, too. score: how many of a
        hundred of its rules are switched on and come out of their samples as they should.
        """
        return matrix(front, WAITS, show)

    @routes.get("/attack/layer", tags=["rules"], dependencies=[reads])
    def navigator() -> Plain:
        """Return the same as a layer that the ATT&CK Navigator opens."""
        covered, _ = _covered(front, WAITS)
        return layer(covered)


def matrix(front: Front, patience: float, show: str = "") -> Plain:
    """Return techniques by tactic; raises Busy while rules and samples are being read."""
    covered, book = _covered(front, patience)
    with front.reading() as looking:
        fired = fired_since(looking, front.suite.clock.now() - FIRED)
    cells = [_cell(one, book, fired) for one in covered]
    wanted = [cell for cell in cells if _is(cell, show)]
    known = [cell for cell in wanted if is_known(cell["technique"])]
    others = [cell for cell in wanted if is_aadapt(cell["technique"])]
    told = {cell["technique"] for cell in (*known, *others)}
    return {
        "attack": VERSION,
        "techniques": len(techniques()),
        "covered": sum(is_known(cell["technique"]) for cell in cells),
        "tactics": [
            {"tactic": tactic, "techniques": [c for c in known if tactic in c["tactics"]]}
            for tactic in (*ORDER, NO_TACTIC)
            if tactic != NO_TACTIC or any(NO_TACTIC in c["tactics"] for c in known)
        ],
        "aadapt": others,
        "unknown": [cell for cell in wanted if cell["technique"] not in told],
    }


def _covered(front: Front, patience: float) -> tuple[list[Covered], Book]:
    with front.reading() as looking:
        switched = rule_states.standing(looking, front.suite.clock.now())
    return front.rulebook.covered(patience, switched)


def _cell(one: Covered, book: Book, fired: Mapping[str, int]) -> Plain:
    counts = {
        str(standing): sum(other is standing for other in one.rules.values())
        for standing in Standing
    }
    return {
        "technique": one.technique,
        "tactics": _tactics(book.rules[slug].tags for slug in one.rules),
        "score": one.score,
        "standings": {name: count for name, count in counts.items() if count},
        "alerts": sum(fired.get(slug, 0) for slug in one.rules),
        "rules": [
            {
                "rule": slug,
                "title": book.rules[slug].title,
                "standing": standing,
                "alerts": fired.get(slug, 0),
            }
            for slug, standing in sorted(one.rules.items())
        ],
    }


def _tactics(tags: Iterable[tuple[str, ...]]) -> list[str]:
    named = {tag.lower().removeprefix("attack.") for every in tags for tag in every}
    return [tactic for tactic in ORDER if tactic in named & TACTICS] or [NO_TACTIC]


def _is(cell: Plain, show: str) -> bool:
    match show:
        case "fired":
            return bool(cell["alerts"])
        case "unproven":
            return Standing.PROVEN not in cell["standings"]
    return True
