"""Run experiments: give units their arms, keep who was exposed, and report what is to be seen."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from io import BytesIO
from typing import Any

import numpy as np
import orjson

from soc.app import studies
from soc.app.suite import Suite
from soc.app.taking import take
from soc.clock import nonce
from soc.errors import Unfit
from soc.intelligence.experiments import assign, bandit, book, looks, replay
from soc.intelligence.experiments.analyse import Money, Result, analyse, check, guard
from soc.intelligence.experiments.assign import DATASET, Exposed, Exposure
from soc.intelligence.experiments.design import Design
from soc.intelligence.experiments.metrics import measured, metric_of
from soc.intelligence.view.keep import View
from soc.logs.filter import parse
from soc.logs.port import Search
from soc.logs.reader import LogReader
from soc.model.event import Row
from soc.model.value import rfc3339
from soc.store.session import reading, session
from soc.store.tables import Experiment

Plain = dict[str, Any]
SOURCE = "experiments"
MOST = 5_000_000
"""Exposures that are read."""
SEED = 1


@dataclass(frozen=True, slots=True)
class Given:
    """What a unit gets. is_exposed: whether that is to be kept: the experiment runs."""

    experiment: str
    unit: str
    arm: str
    state: str
    is_exposed: bool

    @property
    def key(self) -> str:
        """Return the id of its exposure: one for each unit."""
        return f"exposure:{self.experiment}:{self.unit}"


def create(suite: Suite, design: Design, actor: str) -> Plain:
    """Keep an experiment as a draft; raises Refused and Illegal."""
    with session(suite.database) as writing:
        row = book.create(writing, design, nonce(), actor, suite.clock.now())
        return book.told(row)


def given(row: Experiment, unit: str) -> Given:
    """Return what *unit* gets: the control, unless the experiment runs. Raises Refused."""
    design, spelt = book.design_of(row), assign.unit_of(unit)
    runs = row.state == book.State.RUNNING
    arm = assign.arm_of(row.name, row.salt, spelt, design.arms) if runs else design.control
    return Given(row.name, spelt, arm, row.state, runs)


def event(one: Given, now: datetime) -> Plain:
    """Return the exposure of a unit as an event."""
    return {
        "@timestamp": rfc3339(now),
        "event": {"id": one.key, "kind": "event", "dataset": DATASET, "action": "expose"},
        "wallet": {"address": one.unit},
        "message": f"{one.unit} sees {one.arm} of {one.experiment}",
        "soc": {"experiment": {"name": one.experiment, "arm": one.arm}},
    }


def row_of(one: Given, now: datetime) -> Row:
    """Return the exposure of a unit as a row of the event store."""
    document = event(one, now)
    return Row(
        ts=now,
        raw=orjson.dumps(document).decode(),
        parser="soc",
        dataset=DATASET,
        action="expose",
        wallet=one.unit,
        event_id=one.key,
        message=document["message"],
    )


def assigned(suite: Suite, name: str, units: Sequence[str], *, preview: bool = False) -> Plain:
    """Return the arms of *units*, and keep that they see them; preview: keep nothing."""
    with reading(suite.database) as looking:
        row = book.get(looking, name)
        found = [given(row, unit) for unit in units]
    counted = {"accepted": 0, "duplicates": 0}
    if kept := [one for one in found if one.is_exposed and not preview]:
        now = suite.clock.now()
        lines = b"\n".join(orjson.dumps(event(one, now)) for one in kept)
        counted = take(suite, ["-"], SOURCE, "auto", len(kept), BytesIO(lines))
    return {
        "experiment": name,
        "state": row.state,
        "assigned": [{"unit": one.unit, "arm": one.arm} for one in found],
        "recorded": counted["accepted"],
        "known": counted["duplicates"],
    }


def standing(row: Experiment, reader: LogReader | None) -> Plain:
    """Return how many units were exposed to each arm, and whether that fits the weights."""
    return _standing(_exposed(row, reader), row.units)


def every(suite: Suite) -> list[Plain]:
    """Return all experiments, the looks that were taken, and how they stand; no look is spent."""
    with reading(suite.database) as looking:
        rows = book.listed(looking)
        told = [book.told(row) for row in rows]
    return [
        {**one, "standing": standing(row, suite.stored)}
        for one, row in zip(told, rows, strict=True)
    ]


def money_of(suite: Suite, currency: str | None, decimals: int | None) -> Money:
    """Return what amounts are in: as said, else as the settings say."""
    return Money(*studies.amounts_of(suite, currency, decimals))


def report(suite: Suite, name: str, actor: str, money: Money, *, spend: bool = False) -> Plain:
    """Take the look that is due and keep what it shows; else say when the next one is.

    Guardrails are told at any time. spend: look though none is due. Raises Unfit and Illegal.
    """
    with reading(suite.database) as looking:
        row = book.get(looking, name)
        design, before = book.design_of(row), book.taken(row)
    seen = _exposed(row, suite.stored)
    view = _fresh(suite)
    told = _standing(seen, design.units)
    check(design, seen)
    guards = guard(design, seen, view.transactions, money)
    told["guardrails"] = [asdict(one) for one in guards]
    fraction = sum(seen.counts.values()) / design.units
    ends = row.state == book.State.STOPPED
    if before and before[-1].is_last:
        return {**book.told(row), "standing": told}
    due = looks.due(fraction, design.looks, before, spend=spend, ends=ends)
    shown = analyse(design, seen, view.transactions, due, money)
    statistics = {one.arm: one.z for one in shown.comparisons}
    with session(suite.database) as writing:
        row = book.get(writing, name)
        look = looks.Look(fraction, statistics, ends)
        book.looked(writing, row, look, _plain(shown), actor, suite.clock.now())
        return {**book.told(row), "standing": told}


def watched(suite: Suite, name: str, money: Money) -> Plain:
    """Return how an experiment stands without a look at what decides it: nothing is spent."""
    with reading(suite.database) as looking:
        row = book.get(looking, name)
    design = book.design_of(row)
    seen = _exposed(row, suite.stored)
    view = _fresh(suite)
    told = _standing(seen, design.units)
    if any(seen.counts.values()) and not seen.is_mismatched and design.guardrails:
        guards = guard(design, seen, view.transactions, money)
        told["guardrails"] = [asdict(one) for one in guards]
    return {**book.told(row), "standing": told}


def advised(
    suite: Suite, name: str, prior: tuple[float, float], floor: float, seed: int = SEED
) -> Plain:
    """Return what bandits would have done with the units of a finished experiment, and would do.

    Raises Illegal while it runs: this shows which arm leads, and no alpha pays for it.
    """
    with reading(suite.database) as looking:
        row = book.get(looking, name)
    design = book.design_of(row)
    looks.check_over(book.taken(row))
    seen = _exposed(row, suite.stored)
    view = _fresh(suite)
    check(design, seen)
    found = measured(metric_of("conversion"), seen.first, view.transactions)
    place = {arm: number for number, arm in enumerate(design.arms)}
    arms = np.array([place[arm] for arm in found.arms], dtype=np.int64)
    total = sum(design.arms.values())
    drawn = [weight / total for weight in design.arms.values()]
    shown = np.bincount(arms, minlength=len(place)).astype(float)
    hits = np.bincount(arms, weights=found.y, minlength=len(place)).astype(float)
    chances = bandit.best_arms(shown, hits, seed, prior)
    shares = bandit.shares(chances, floor)
    policies = {
        policy: bandit.floored(choose, floor) for policy, choose in bandit.policies(prior).items()
    }
    worths = {
        policy: replay.replayed(choose, arms, found.y, drawn, seed)
        for policy, choose in policies.items()
    }
    worths["fixed shares"] = replay.propensity(list(shares), arms, found.y, drawn)
    return {
        "experiment": name,
        "prior": list(prior),
        "floor": floor,
        "arms": [
            {"arm": arm, "units": int(shown[n]), "gave": int(hits[n]),
             "best": float(chances[n]), "share": float(shares[n])}
            for arm, n in place.items()
        ],
        "policies": [{"policy": policy, **asdict(worth)} for policy, worth in worths.items()],
    }  # fmt: skip


def _fresh(suite: Suite) -> View:
    """Return the view with all that is stored by now."""
    studies.build_view(suite)
    return studies.view(suite)


def _exposed(row: Experiment, reader: LogReader | None) -> Exposed:
    """Return who was exposed; reader: of the events, None before there are any."""
    arms = book.design_of(row).arms
    wanted = Search(parse(f"event.dataset:{DATASET}"), limit=MOST + 1)
    found = list(_exposures(reader.search(wanted), row.name)) if reader else []
    if len(found) > MOST:
        raise Unfit(f"{row.name} has more than {MOST:,} exposures: that many are read at most")
    return assign.exposed(found, arms, lambda unit: assign.arm_of(row.name, row.salt, unit, arms))


def _exposures(rows: Iterable[Mapping[str, Any]], name: str) -> Iterator[Exposure]:
    """Yield the exposures among events; what says nothing of a unit and an arm is none."""
    for row in rows:
        try:
            said = orjson.loads(row["raw"])["soc"]["experiment"]
            mine, arm = said["name"] == name, str(said["arm"])
        except (KeyError, TypeError):
            continue
        if mine and row["wallet"]:
            yield Exposure(row["wallet"], arm, row["ts"])


def _standing(seen: Exposed, planned: int) -> Plain:
    return {
        "exposed": dict(seen.counts),
        "mixed": seen.mixed,
        "fraction": sum(seen.counts.values()) / planned,
        "ratio_p": seen.p,
        "mismatched": seen.is_mismatched,
    }


def _plain(shown: Result) -> Plain:
    told = asdict(shown)
    test = shown.chi_square
    return {**told, "chi_square": test._asdict() if test else None}
