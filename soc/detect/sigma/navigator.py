"""Say which techniques rules cover, as a layer that the ATT&CK Navigator opens.

The form is layer format 4.5 (layers/spec/v4.5/layerformat.md of mitre-attack/attack-navigator). A
score is a share of proof, never a number of rules: of the rules that name a technique, how many of
a hundred are switched on and come out of their samples as they should.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from soc.detect.sigma.attack import AADAPT, VERSION, technique_of, techniques
from soc.detect.sigma.rule import About

FORMAT, NAVIGATOR = "4.5", "5.2.0"
RED, YELLOW, GREEN = "#ff6666", "#ffe766", "#8ec843"


class Standing(StrEnum):
    """What is known of a rule.

    proven: it may act, and all of its samples come out as they should. failing: one does not.
    untested: no sample shows that it hits. monitor, disabled: it may not act.
    """

    PROVEN = "proven"
    FAILING = "failing"
    UNTESTED = "untested"
    MONITOR = "monitor"
    DISABLED = "disabled"


class Covered(NamedTuple):
    """A technique and how each rule that names it stands, by slug."""

    technique: str
    rules: Mapping[str, Standing]

    @property
    def score(self) -> int:
        """Return how many of a hundred rules are proven, rounded down: 100 means all of them."""
        proven = sum(standing is Standing.PROVEN for standing in self.rules.values())
        return 100 * proven // len(self.rules)

    @property
    def words(self) -> str:
        """Return each rule, and how it stands unless it is proven."""
        return ", ".join(
            slug if standing is Standing.PROVEN else f"{slug} ({standing})"
            for slug, standing in sorted(self.rules.items())
        )


def covered_by(abouts: Iterable[About], standings: Mapping[str, Standing]) -> list[Covered]:
    """Return every technique that rules name, of ATT&CK and of AADAPT, by id.

    standings: of each rule, by slug; rules that are not in it are left out.
    """
    found: dict[str, dict[str, Standing]] = {}
    for about in abouts:
        for tag in about.tags if about.name in standings else ():
            if technique := _technique(tag):
                found.setdefault(technique, {})[about.name] = standings[about.name]
    return [Covered(technique, rules) for technique, rules in sorted(found.items())]


def is_known(technique: str) -> bool:
    """Return whether *technique* is one of the ATT&CK version that the layer is for."""
    return technique in techniques()


def is_aadapt(technique: str) -> bool:
    """Return whether *technique* is one for digital assets, which no layer can show."""
    return AADAPT.fullmatch(technique.lower()) is not None


def layer(covered: Iterable[Covered]) -> dict[str, Any]:
    """Return the layer. What is of AADAPT is told as metadata; unknown techniques are left out."""
    every = list(covered)
    others = [one for one in every if is_aadapt(one.technique)]
    return {
        "name": "Commonwatch rules",
        "versions": {"attack": VERSION, "navigator": NAVIGATOR, "layer": FORMAT},
        "domain": "enterprise-attack",
        "description": (
            "Score: how many of a hundred rules that name the technique are switched on and come "
            "out of their samples as they should."
        ),
        "sorting": 3,
        "layout": {"layout": "side", "showID": True, "expandedSubtechniques": "annotated"},
        "techniques": [
            {"techniqueID": one.technique, "score": one.score, "comment": one.words}
            for one in every
            if is_known(one.technique)
        ],
        "gradient": {"colors": [RED, YELLOW, GREEN], "minValue": 0, "maxValue": 100},
        "legendItems": [
            {"label": "no rule is proven", "color": RED},
            {"label": "every rule is proven", "color": GREEN},
        ],
        "metadata": [
            {"name": f"AADAPT {one.technique}", "value": f"{one.score}: {one.words}"}
            for one in others
        ],
    }


def _technique(tag: str) -> str | None:
    namespace, _, name = tag.partition(".")
    return name.upper() if namespace.lower() == "aadapt" else technique_of(tag)
