"""Write down what really happened: ``truth.json``, against which detection is measured."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from soc.demo.driver.machine import RoundClock, rfc3339
from soc.simulate.values import AttackKind, Role, RoundPlan


class Truth:
    """The planned truth, in real time; what has been seen to happen takes its place."""

    def __init__(self, plan: RoundPlan, clock: RoundClock, path: Path) -> None:
        self._plan = plan
        self._clock = clock
        self._path = path
        self._seen: dict[AttackKind, tuple[datetime, datetime]] = {}
        self._ends = {attack.kind: attack.ended for attack in plan.attacks}

    def saw(self, kind: AttackKind, day: float, moment: datetime) -> bool:
        """Note that an act of an attack, planned for *day*, was played; tell if it is the first.

        What attackers try after the end of their attack does not prolong it.
        """
        first, last = self._seen.get(kind, (moment, moment))
        is_new = kind not in self._seen
        self._seen[kind] = (first, moment if day <= self._ends[kind] else last)
        return is_new

    def write(self) -> None:
        """Replace the file, wholly or not at all."""
        draft = self._path.with_suffix(".tmp")
        draft.write_text(json.dumps(self.document(), indent=1) + "\n", encoding="utf-8")
        draft.replace(self._path)

    def document(self) -> dict[str, Any]:
        """Return the truth as the contract spells it."""
        attacks = []
        for attack in self._plan.attacks:
            planned = (self._clock.moment(attack.started), self._clock.moment(attack.ended))
            started, ended = self._seen.get(attack.kind, planned)
            attacks.append(
                {
                    "kind": attack.kind.value,
                    "started": rfc3339(started),
                    "ended": rfc3339(ended),
                    "wallets": list(attack.wallets),
                    "ips": list(attack.ips),
                    "accounts": list(attack.accounts),
                }
            )
        wallets = {
            "honest": list(self._plan.honest),
            "payroll": list(self._plan.addresses(Role.PAYROLL)),
            "sybil": list(self._plan.addresses(Role.SYBIL)),
        }
        return {"seed": self._plan.seed, "attacks": attacks, "wallets": wallets}
