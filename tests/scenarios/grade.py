"""Grade a finished demo from outside: files and HTTP alone, nothing of what is graded.

``python tests/scenarios/grade.py HOME URL TOKEN_FILE`` prints one line per requirement and exits
with 1 if one is not met. HOME holds ``truth.json`` and ``platform_access.ndjson``; URL is a front
door that serves HOME.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import requests

KINDS = ("sybil_fanout", "admin_bruteforce", "api_abuse", "fake_event", "indexer_lag")
GRACE = timedelta(seconds=1.5)
"""A rule needs this long from the ledger to the platform."""


class Check(NamedTuple):
    """One requirement, whether it is met, and what was found."""

    what: str
    met: bool
    found: str


class Seen(NamedTuple):
    """What the platform's log and the suite's API say."""

    truth: dict[str, Any]
    access: list[dict[str, Any]]
    incidents: list[dict[str, Any]]
    effects: list[dict[str, Any]]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def look(home: Path, url: str, token: str) -> Seen:
    """Read the files and ask the API."""
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {token}"

    def get(path: str) -> Any:
        response = session.get(f"{url}/api/v1/{path}", timeout=30)
        response.raise_for_status()
        return response.json()

    lines = (home / "platform_access.ndjson").read_text().splitlines()
    return Seen(
        json.loads((home / "truth.json").read_text()),
        [json.loads(line) for line in lines],
        [get(f"incidents/{one['id']}") for one in get("incidents?limit=1000")["items"]],
        get("effects?limit=1000")["items"],
    )


def checks(seen: Seen) -> Iterator[Check]:
    """Yield every requirement."""
    security = [i for i in seen.incidents if i["kind"] == "security" and not i["monitor"]]
    matched = {attack["kind"]: _matching(attack, security) for attack in seen.truth["attacks"]}
    for kind in KINDS:
        yield Check(f"{kind} is detected", bool(matched.get(kind)), str(matched.get(kind)))
    right = {name for names in matched.values() for name in names[:1]}
    extra = sorted(i["id"] for i in security if i["id"] not in right)
    yield Check("five incidents match truth", len(right) == len(KINDS), str(sorted(right)))
    yield Check("at most one more incident", len(extra) <= 1, str(extra))
    yield from _wallets(seen)
    yield from _answers(seen)


def _matching(attack: dict[str, Any], incidents: list[dict[str, Any]]) -> list[str]:
    names = {f"wallet:{w}" for w in attack["wallets"]}
    names |= {f"ip:{a}" for a in attack["ips"]} | {f"account:{a}" for a in attack["accounts"]}
    found = []
    for one in incidents:
        if moment(one["created"]) < moment(attack["started"]):
            continue
        by_rule = any("indexer" in alert["rule"] for alert in one["alerts"])
        if names.intersection(one["entities"]) if names else by_rule:
            found.append(one["id"])
    return found


def _in_force(effects: list[dict[str, Any]]) -> dict[str, list[tuple[datetime, datetime, str]]]:
    """Return for each wallet when it was held back, and how."""
    spans = defaultdict(list)
    for effect in effects:
        kind, _, wallet = effect["subject"].partition(":")
        if kind == "wallet" and effect["active"]:
            ends = [moment(effect[key]) for key in ("until", "lifted") if effect[key]]
            spans[wallet].append((moment(effect["active"]), min(ends), effect["kind"]))
    return spans


def _wallets(seen: Seen) -> Iterator[Check]:
    held = set(_in_force(seen.effects))
    wallets = {name: set(listed) for name, listed in seen.truth["wallets"].items()}
    sybil = wallets["sybil"] & held
    share = f"{len(sybil)} of {len(wallets['sybil'])}"
    yield Check(
        "90 % of the sybil wallets are limited", len(sybil) >= 0.9 * len(wallets["sybil"]), share
    )
    payroll, others = wallets["payroll"] & held, (wallets["honest"] - wallets["payroll"]) & held
    yield Check("at most 1 honest wallet is limited", len(others) <= 1, str(sorted(others)))
    yield Check("at most 2 of the payroll are limited", len(payroll) <= 2, str(sorted(payroll)))


def _answers(seen: Seen) -> Iterator[Check]:
    spans = _in_force(seen.effects)
    asked: dict[str, list[tuple[datetime, int, str | None]]] = defaultdict(list)
    for line in seen.access:
        if line["wallet"]:
            asked[line["wallet"]].append((moment(line["time"]), line["status"], line["effect"]))
    passed, unrefused = [], []
    for wallet in seen.truth["wallets"]["sybil"]:
        during = [
            (kind, status, effect)
            for begin, end, kind in spans.get(wallet, [])
            for at, status, effect in asked[wallet]
            if begin + GRACE <= at < end - GRACE
        ]
        passed += [wallet for kind, status, _ in during if kind == "quarantine" and status != 403]
        if during and not any(status in {429, 403} and effect for _, status, effect in during):
            unrefused.append(wallet)
    yield Check("a quarantined wallet gets 403", not passed, str(passed[:3]))
    few = len(unrefused) <= 0.1 * len(seen.truth["wallets"]["sybil"])
    yield Check("limited wallets are refused, and told by which effect", few, str(unrefused[:3]))
    refusals = {status for line in seen.access for status in [line["status"]] if line["effect"]}
    yield Check("both 429 and 403 were given", refusals == {403, 429}, str(sorted(refusals)))
    refused = {
        wallet
        for wallet in seen.truth["wallets"]["honest"]
        if wallet not in spans and any(status >= 400 for _, status, _ in asked[wallet])
    }
    yield Check("honest wallets are served", not refused, str(sorted(refused)[:3]))


def main() -> int:
    """Print the grades."""
    home, url, token = sys.argv[1:]
    graded = list(checks(look(Path(home), url, Path(token).read_text().strip())))
    for check in graded:
        print("ok  " if check.met else "FAIL", check.what, "" if check.met else check.found)
    return 0 if all(check.met for check in graded) else 1


if __name__ == "__main__":
    sys.exit(main())
