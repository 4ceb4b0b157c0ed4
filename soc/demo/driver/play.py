"""Play a whole round in real time."""

import json
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from soc.demo.driver.acts import Act, Acts
from soc.demo.driver.client import Crowd, Platform
from soc.demo.driver.machine import RoundClock, now, password, rfc3339
from soc.demo.driver.responder import Responder
from soc.demo.driver.truth import Truth
from soc.simulate.values import DAYS, PREPARATION, RoundPlan

THREADS = 16
MARK = 0.5
"""Days between two lines of progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the driver is told when it starts."""

    home: Path
    platform: str
    suite: str
    suite_token: str
    day_seconds: float


class Progress:
    """Prints where the round is: a JSON object a line."""

    def __init__(self, clock: RoundClock, write: Callable[[str], None]) -> None:
        self._clock = clock
        self._write = write
        self._next = -PREPARATION

    def say(self, event: str, **more: object) -> None:
        """Print that something happened."""
        day = self._clock.today()
        share = min(max((day + PREPARATION) / (DAYS + PREPARATION), 0), 1)
        line = {"progress": round(share, 3), "day": round(day, 2), "event": event, **more}
        self._write(json.dumps(line) + "\n")

    def mark(self) -> None:
        """Print the day if it is time for that again."""
        day = self._clock.today()
        if day >= self._next:
            self._next = day + MARK
            self.say("playing")


def play(plan: RoundPlan, options: Options, write: Callable[[str], None]) -> None:
    """Set the platform up, play every act at its time, and leave ``truth.json`` behind."""
    key = (options.home / "operator.key").read_text(encoding="ascii").strip()
    platform = Platform(options.platform, key)
    passwords = {account.name: password() for account in plan.accounts}
    lead = timedelta(seconds=PREPARATION * options.day_seconds + 1)
    clock = RoundClock(opening=now() + lead, day_seconds=options.day_seconds)
    truth = Truth(plan, clock, options.home / "truth.json")
    truth.write()
    progress = Progress(clock, write)
    _set_up(plan, platform, passwords, clock)
    progress.say("platform is set up")
    acts = Acts(plan, Crowd(platform, plan.wallets), passwords, options.day_seconds).in_order()
    patience = timedelta(seconds=options.day_seconds)
    responder = Responder(options.suite, options.suite_token, patience, progress.say)
    responder.start()
    try:
        latest = _play_all(acts, clock, truth, progress)
    finally:
        responder.stop()
        truth.write()
        platform.close()
    answers = {str(status): count for status, count in sorted(platform.answers.items())}
    progress.say("round is over", answers=answers, latest_seconds=round(latest, 2))


def _play_all(acts: list[Act], clock: RoundClock, truth: Truth, progress: Progress) -> float:
    """Play *acts*; return by how many seconds the latest one was late."""
    latest = 0.0
    jobs: list[Future[float]] = []
    with ThreadPoolExecutor(THREADS) as pool:
        for act in acts:
            clock.sleep_until(act.at)
            progress.mark()
            jobs.append(pool.submit(_do, act, clock))
            if act.attack and truth.saw(act.attack, act.at, now()):
                progress.say(f"{act.attack} started")
                truth.write()
        for job in jobs:
            latest = max(latest, job.result())
    return latest


def _do(act: Act, clock: RoundClock) -> float:
    late = (now() - clock.moment(act.at)).total_seconds()
    act.do()
    return late


def _set_up(
    plan: RoundPlan, platform: Platform, passwords: dict[str, str], clock: RoundClock
) -> None:
    for account in plan.accounts:
        secret = passwords[account.name]
        body = {"name": account.name, "password": secret, "roles": list(account.roles)}
        platform.operate("/admin/accounts", body)
    this = plan.round
    opening, end = rfc3339(clock.moment(0)), rfc3339(clock.moment(DAYS))
    body = {"id": this.id, "name": this.name, "pool": str(this.pool), "start": opening, "end": end}
    platform.operate("/admin/rounds", body)
    for project in plan.projects:
        facts = {"id": project.id, "name": project.name, "owner": project.owner}
        platform.operate("/admin/projects", {**facts, "round": this.id})
