"""Commands about experiments: plan them, run them, and look at them only as planned."""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from soc.cli.base import HOME, HomeOption, Json, fail, group, show, suite_at, table, warn, who
from soc.cli.study import Currency, Decimals, interval

if TYPE_CHECKING:
    from sqlmodel import Session

    from soc.store.tables import Experiment

Name = Annotated[str, typer.Argument(help="Name of an experiment, such as projects-page.")]
Baseline = Annotated[
    float | None, typer.Option(help="The share of the control that is expected, such as 0.05.")
]
Effect = Annotated[
    float | None, typer.Option(help="The least difference that matters, such as 0.01.")
]
Alpha = Annotated[float, typer.Option(help="How often to be wrong if nothing differs.")]
Power = Annotated[float, typer.Option(help="How often the effect is to be seen if it is there.")]
Units = Annotated[int | None, typer.Option(min=1, help="Units of all arms together.")]
Reason = Annotated[str, typer.Option(help="Why, for the audit log.")]
FORM = ".4g"
WORSE = {True: "is worse", False: "is not shown to be worse", None: "cannot be judged yet"}


def add(commands: typer.Typer) -> None:
    """Add the commands to the group *commands*."""
    experiments = group("Experiments: which variant of a page is better.")
    experiments.command("power")(power)
    experiments.command("create")(create)
    experiments.command("list")(list_)
    experiments.command("start")(start)
    experiments.command("stop")(stop)
    experiments.command("assign")(assign)
    experiments.command("report")(report)
    experiments.command("bandit")(bandit)
    commands.add_typer(experiments, name="experiment")


def power(
    baseline: Annotated[float, typer.Option(help="The share that is expected, such as 0.05.")],
    effect: Annotated[float, typer.Option(help="The least difference that matters.")],
    arms: Annotated[int, typer.Option(min=2, max=10, help="The control among them.")] = 2,
    units: Units = None,
    alpha: Alpha = 0.05,
    wanted: Annotated[float, typer.Option("--power", help="How often to see it.")] = 0.8,
    as_json: Json = False,
) -> None:
    """Say how many units it takes to see an effect, or what so many units can show."""
    from soc.intelligence.experiments.power import effect_size, least_effect, need, power_of

    found = need(baseline, baseline + effect, arms, alpha, wanted)
    told: dict[str, Any] = {"each": found.each, "total": found.total, "alpha": found.alpha}
    lines = [f"{found.each} units in each of {arms} arms, {found.total} in all"]
    if units:
        each, size = units / arms, effect_size(baseline, baseline + effect)
        told["power"] = power_of(size, each, each, found.alpha)
        told["least_effect"] = least_effect(baseline, each, found.alpha, wanted)
        lines.append(
            f"{units} units in all see it in {told['power']:.1%} of cases; "
            f"the least effect that they show is {told['least_effect']:+.4f}"
        )
    show(told, as_json, lines)


def create(
    name: Name,
    title: Annotated[str, typer.Option(help="What is to be learned, in one line.")],
    owner: Annotated[str, typer.Option(help="Who decides, such as role:funding.")],
    arm: Annotated[
        list[str], typer.Option(help="A variant with its weight, the control first: default=1.")
    ],
    metric: Annotated[str, typer.Option(help="What decides.")] = "conversion",
    guardrail: Annotated[
        list[str] | None, typer.Option(help="A metric that must not get worse; may be repeated.")
    ] = None,
    looks: Annotated[
        str, typer.Option(help="At which fractions of the units to look: 0.25,0.5,0.75,1.")
    ] = "1",
    baseline: Baseline = None,
    effect: Effect = None,
    units: Units = None,
    alpha: Alpha = 0.05,
    wanted: Annotated[float, typer.Option("--power", help="How often to see the effect.")] = 0.8,
    home: HomeOption = HOME,
    as_json: Json = False,
) -> None:
    """Plan an experiment. It never changes afterwards: plan another one instead.

    The units come from --baseline and --effect, or are said with --units.
    """
    from soc.access.permissions import Permission
    from soc.app.experiments import create as keep  # defers pyarrow and SQLAlchemy
    from soc.intelligence.experiments.design import Design, arms_of, looks_of, planned_units

    arms = arms_of(arm)
    design = Design(
        name=name,
        title=title,
        owner=owner,
        arms=arms,
        metric=metric,
        units=planned_units(metric, arms, baseline, effect, units, alpha, wanted),
        guardrails=tuple(guardrail or ()),
        looks=looks_of(looks),
        baseline=baseline,
        minimal_effect=effect,
        alpha=alpha,
        power=wanted,
    )
    suite = suite_at(home)
    actor = who(suite)
    actor.require(Permission.AUTHOR)
    made = keep(suite, design, actor.name)
    show(made, as_json, [f"{name} is a draft: {made['units']} units, looks at {looks}"])


def list_(home: HomeOption = HOME, as_json: Json = False) -> None:
    """List the experiments."""
    from soc.intelligence.experiments import book
    from soc.store.session import reading

    with reading(suite_at(home).database) as looking:
        rows = [book.told(row) for row in book.listed(looking)]
    flat = [{**row, "arms": ", ".join(row["arms"]), "looked": len(row["taken"])} for row in rows]
    columns = ("name", "state", "arms", "metric", "units", "looked", "owner")
    show(rows, as_json, table(flat, *columns))


def start(name: Name, reason: Reason = "", home: HomeOption = HOME) -> None:
    """Let units be assigned."""
    from soc.intelligence.experiments import book

    _moved(name, reason, home, book.start)


def stop(name: Name, reason: Reason = "", home: HomeOption = HOME) -> None:
    """Give everybody the control again; the next report is the last look."""
    from soc.intelligence.experiments import book

    _moved(name, reason, home, book.stop)


def assign(
    name: Name,
    units: Annotated[list[str], typer.Argument(help="Wallets.")],
    preview: Annotated[bool, typer.Option("--preview", help="Keep no exposure.")] = False,
    home: HomeOption = HOME,
    as_json: Json = False,
) -> None:
    """Say which arm wallets get, and keep that they are shown it."""
    from soc.access.permissions import Permission
    from soc.app.experiments import assigned  # defers pyarrow and SQLAlchemy

    suite = suite_at(home)
    who(suite).require(Permission.READ if preview else Permission.INGEST)
    made = assigned(suite, name, units, preview=preview)
    counts = f"{name} is {made['state']}: {made['recorded']} recorded, {made['known']} known"
    show(made, as_json, [*table(made["assigned"], "unit", "arm"), counts])


def report(
    name: Name,
    spend: Annotated[
        bool, typer.Option("--spend", help="Look though no look is due, and pay for it.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Only who was exposed, and the guardrails.")
    ] = False,
    currency: Currency = "",
    decimals: Decimals = None,
    home: HomeOption = HOME,
    as_json: Json = False,
) -> None:
    """Take the look that is due and say what it shows; every look is kept.

    Between looks nothing is said of what decides. Exposures and guardrails may be watched always.
    """
    from soc.access.permissions import Permission
    from soc.app import experiments  # defers pyarrow and SQLAlchemy

    suite = suite_at(home)
    money = experiments.money_of(suite, currency or None, decimals)
    actor = who(suite)
    actor.require(Permission.READ if watch else Permission.AUTHOR)
    if watch:
        made = experiments.watched(suite, name, money)
    else:
        made = experiments.report(suite, name, actor.name, money, spend=spend)
    show(made, as_json, _lines(made, with_result=not watch))


def bandit(
    name: Name,
    prior: Annotated[
        str, typer.Option(help="Of Thompson: gave and did not, such as 1,19 for one in twenty.")
    ] = "1,19",
    floor: Annotated[float, typer.Option(help="What is left to chance, of all units.")] = 0.1,
    seed: Annotated[int, typer.Option(min=0, help="The same seed, the same answer.")] = 1,
    home: HomeOption = HOME,
    as_json: Json = False,
) -> None:
    """Say what bandits would have brought, which arm is best, and with which weights to go on.

    Only after the last look. Nothing is changed: weights are those of the next experiment.
    """
    from soc.app.experiments import advised  # defers pyarrow and SQLAlchemy
    from soc.intelligence.experiments.design import prior_of

    made = advised(suite_at(home), name, prior_of(prior), floor, seed)
    arms = [
        {**one, "best": f"{one['best']:.3f}", "share": f"{one['share']:.3f}"}
        for one in made["arms"]
    ]
    policies = [
        {
            "policy": one["policy"],
            "gave": f"{one['value']:.4f} ± {one['error']:.4f}",
            "units": f"{one['effective']:.0f}",
        }
        for one in made["policies"]
    ]
    lines = table(arms, "arm", "units", "gave", "best", "share")
    show(made, as_json, [*lines, "", *table(policies, "policy", "gave", "units")])


def _moved(
    name: str,
    reason: str,
    home: Path,
    move: "Callable[[Session, str, str, str, datetime], Experiment]",
) -> None:
    from soc.access.permissions import Permission
    from soc.store.session import session

    if not reason.strip():
        fail("--reason: say in one line why", 2)
    suite = suite_at(home)
    actor = who(suite)
    actor.require(Permission.AUTHOR)
    with session(suite.database) as writing:
        row = move(writing, name, reason.strip(), actor.name, suite.clock.now())
        typer.echo(f"{name} is {row.state}")


def _lines(made: Mapping[str, Any], *, with_result: bool) -> list[str]:
    now = made["standing"]
    counts = ", ".join(f"{arm} {count}" for arm, count in now["exposed"].items())
    lines = [f"{made['name']}: {counts}; {now['fraction']:.1%} of {made['units']} planned units"]
    if now["mixed"]:
        lines.append(f"{now['mixed']} units saw another arm than they were given: none counts")
    if now["mismatched"]:
        warn(f"sample ratio mismatch (p = {now['ratio_p']:.2g}): stop, and find what loses units")
    for one in now.get("guardrails", ()):
        said = WORSE[one["is_worse"]]
        apart = interval(one["difference"], FORM)
        lines.append(f"guardrail {one['metric']}, {one['arm']} {said}: {apart}")
    if with_result and made["taken"]:
        lines += _result(made["taken"][-1]["shown"])
    return lines


def _result(shown: Mapping[str, Any]) -> list[str]:
    arms = [{**one, "value": interval(one["figure"], FORM)} for one in shown["arms"]]
    compared = [
        {
            "arm": one["arm"],
            "difference": interval(one["difference"], FORM),
            "lift": interval(one["lift"], FORM),
            "p": f"{one['adjusted']:.4g}",
        }
        for one in shown["comparisons"]
    ]
    return [
        "",
        f"look at {shown['fraction']:.1%}, intervals {shown['boundary']:.3f} errors wide",
        *table(arms, "arm", "units", "value"),
        *table(compared, "arm", "difference", "lift", "p"),
        *_capped(shown["capped"]),
        shown["conclusion"],
    ]


def _capped(told: Mapping[str, float] | None) -> list[str]:
    if told is None:
        return []
    above = f"winsorised at {told['cap']:.6g}: {told['share']:.2%} of units are above"
    return [f"{above}, {told['cut']:.1%} of the amount is not counted"]
