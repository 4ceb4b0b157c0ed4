"""Know which techniques there are.

``attack-19.txt`` lists MITRE ATT&CK for Enterprise, version 19 of 14 April 2026
(https://attack.mitre.org): on each line a technique and its sub-techniques, 697 in all, without
those that are revoked or deprecated. (c) The MITRE Corporation, used as its terms of use allow. Of
AADAPT, for digital assets, there is no list here: only the form of an id is checked.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

VERSION = "19"
LIST = Path(__file__).with_name(f"attack-{VERSION}.txt")
TECHNIQUE = re.compile(r"attack\.(t\d.*)")
AADAPT = re.compile(r"adt\d{4}(\.\d{3})?")
TACTICS = frozenset(
    {
        "collection", "command-and-control", "credential-access", "defense-impairment",
        "discovery", "execution", "exfiltration", "impact", "initial-access",
        "lateral-movement", "persistence", "privilege-escalation", "reconnaissance",
        "resource-development", "stealth",
    }
)  # fmt: skip
REVOKED: Mapping[str, str] = MappingProxyType(
    {
        "T1070.001": "T1685.005", "T1070.002": "T1685.006", "T1562": "T1685",
        "T1562.001": "T1685", "T1562.002": "T1685.001", "T1562.004": "T1686",
        "T1562.006": "T1685", "T1562.007": "T1686.001", "T1562.008": "T1685.002",
        "T1562.010": "T1689", "T1656": "T1684.001",
    }
)  # fmt: skip
"""What became of techniques of version 18."""


@cache
def techniques() -> frozenset[str]:
    """Return the ids of all techniques and sub-techniques, such as T1110 and T1110.001."""
    rows = [line.split() for line in LIST.read_text(encoding="ascii").splitlines()]
    return frozenset(
        name for first, *rest in rows for name in (first, *(f"{first}.{sub}" for sub in rest))
    )


def technique_of(tag: str) -> str | None:
    """Return the id that a rule's *tag* names, in capitals; None for a tag about something else."""
    found = TECHNIQUE.fullmatch(tag.lower())
    return found[1].upper() if found else None


def mistake_in(tag: str) -> str | None:
    """Return what is wrong with a rule's *tag*, and what to write instead; None if nothing is."""
    namespace, _, name = tag.lower().partition(".")
    technique = technique_of(tag)
    if technique and technique not in techniques():
        if new := REVOKED.get(technique):
            return f"ATT&CK {VERSION} revoked {technique}: write attack.{new.lower()}"
        return f"ATT&CK {VERSION} has no technique {technique}: look it up at attack.mitre.org"
    if namespace == "aadapt" and not AADAPT.fullmatch(name):
        return f"{tag!r} is no technique of AADAPT: write aadapt.adt3001 or aadapt.adt3004.001"
    if namespace == "attack" and "-" in name and name not in TACTICS:
        return f"ATT&CK {VERSION} has no tactic {name!r}: known are {', '.join(sorted(TACTICS))}"
    return None
