"""Commands about models: learn them, choose between them, score with them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from soc.cli.base import HOME, HomeOption, Json, show, suite_at, table, warn, who
from soc.cli.study import Currency, Decimals, Seed, Without, interval

if TYPE_CHECKING:
    from soc.app.suite import Suite

Task = Annotated[str, typer.Option(help="lifetime-value, returns or high-value.")]
Window = Annotated[str, typer.Option(help="How far to look ahead, such as 7d.")]
Moments = Annotated[int, typer.Option(help="Moments to learn from, a window apart.")]
Above = Annotated[
    float, typer.Option(help="Amount from which on it is high, in tokens (high-value).")
]
Reason = Annotated[str, typer.Option(help="Why, for the audit log.")]
Name = Annotated[str, typer.Argument(help="Task and version, such as returns/3.")]


def add(commands: typer.Typer) -> None:
    """Add the commands to the group *commands*."""
    commands.command("train")(train)
    commands.command("retrain", hidden=True)(retrain)
    commands.command("imbalance")(imbalance)
    commands.command("score")(score)
    commands.command("models")(models_list)
    commands.command("model")(models_show)
    commands.command("promote")(models_promote)
    commands.command("rollback")(models_rollback)


def train(
    task: Task = "returns",
    window: Window = "7d",
    moments: Moments = 6,
    above: Above = 0.0,
    currency: Currency = "",
    decimals: Decimals = None,
    without: Without = None,
    models: Annotated[
        list[str] | None, typer.Option(help="A model to compare, by default all seven.")
    ] = None,
    seed: Seed = 1,
    out: Annotated[Path | None, typer.Option(help="File for the model card, as JSON.")] = None,
    home: HomeOption = HOME,
    as_json: Json = False,
) -> None:
    """Compare models on users they have not seen, keep the best, and use it if it is worth it.

    What looks too good to be true is refused with the reason.
    """
    import orjson

    from soc.app.learning import Question  # defers scikit-learn
    from soc.app.learning import train as learn
    from soc.app.measuring import window_of
    from soc.intelligence.models.catalog import MAKERS

    suite = suite_at(home)
    actor = _author(suite)
    asked = Question(
        task=task,
        window=window_of(window),
        moments=moments,
        above=above,
        currency=currency or None,
        decimals=decimals,
        without=tuple(without or ()),
        models=tuple(models or MAKERS),
        seed=seed,
    )
    made = learn(suite, asked, actor)
    if out:
        out.write_bytes(orjson.dumps(made, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
    show(made, as_json, _lines(made))


def retrain(task: Annotated[str, typer.Argument()], home: HomeOption = HOME) -> None:
    """Learn a task anew as settings say, and score with the champion; a worker does this."""
    from soc.app.retraining import again  # defers scikit-learn
    from soc.watch import lifeline

    lifeline.hold()
    again(suite_at(home), task)


def imbalance(
    task: Task = "returns",
    window: Window = "7d",
    moments: Moments = 6,
    above: Above = 0.0,
    currency: Currency = "",
    decimals: Decimals = None,
    without: Without = None,
    model: Annotated[str, typer.Option(help="The model that is tried with each way.")] = "ridge",
    seed: Seed = 1,
    home: HomeOption = HOME,
    as_json: Json = False,
) -> None:
    """Measure whether evening out the classes helps: within folds, calibrated, against nothing.

    The next report shows the last answer for each task.
    """
    from soc.app.learning import Question, evened  # defers scikit-learn
    from soc.app.measuring import window_of
    from soc.app.telling import keep_evened

    asked = Question(
        task=task,
        window=window_of(window),
        moments=moments,
        above=above,
        currency=currency or None,
        decimals=decimals,
        without=tuple(without or ()),
        models=(model,),
        seed=seed,
    )
    suite = suite_at(home)
    made = evened(suite, asked)
    keep_evened(suite, task, made)
    rows = [
        {
            "way": one["way"],
            "ap": interval(one["figures"].get("ap") or {"value": None}),
            "gain": interval(one["gain"] or {"value": None}),
            "brier": interval(one["figures"].get("brier") or {"value": None}),
            "problem": one["problem"],
        }
        for one in made["ways"]
    ]
    lines = [*table(rows, "way", "ap", "gain", "brier", "problem"), made["advice"]]
    show(made, as_json, lines)


def score(task: Task = "returns", home: HomeOption = HOME, as_json: Json = False) -> None:
    """Score every user with the champion, and store the scores as events of class ret-scores."""
    from soc.app.learning import score as scored  # defers scikit-learn

    made = scored(suite_at(home), task)
    if made["outside"]:
        warn(
            f"most users are beyond what {made['model']} has learned from in "
            f"{', '.join(made['outside'])}: train anew before you believe these scores"
        )
    show(made, as_json, [f"{key}: {value}" for key, value in made.items()])


def models_list(home: HomeOption = HOME, as_json: Json = False) -> None:
    """List the models, the newest of each task first."""
    from soc.intelligence import registry
    from soc.store.session import reading

    with reading(suite_at(home).database) as looking:
        rows = [
            {
                **{key: made[key] for key in ("model", "state", "reason", "created", "conclusion")},
                "name": made["best"],
            }
            for made in map(registry.told, registry.listed(looking))
        ]
    show(rows, as_json, table(rows, "model", "name", "state", "created", "reason"))


def models_show(name: Name, home: HomeOption = HOME) -> None:
    """Show the card of a model."""
    from soc.intelligence import registry
    from soc.store.session import reading

    with reading(suite_at(home).database) as looking:
        show(registry.told(registry.named(looking, name)), as_json=True)


def models_promote(name: Name, reason: Reason = "", home: HomeOption = HOME) -> None:
    """Make a model the champion of its task."""
    from soc.intelligence import registry
    from soc.store.session import session

    suite = suite_at(home)
    actor = _author(suite)
    with session(suite.database) as writing:
        row = registry.named(writing, name)
        registry.promote(writing, row, reason, actor, suite.clock.now())


def models_rollback(
    task: Annotated[str, typer.Argument(help="The task.")],
    reason: Reason = "",
    home: HomeOption = HOME,
) -> None:
    """Make the champion before the present one the champion again."""
    from soc.intelligence import registry
    from soc.store.session import session

    suite = suite_at(home)
    actor = _author(suite)
    with session(suite.database) as writing:
        registry.rollback(writing, task, reason, actor, suite.clock.now())


def _author(suite: "Suite") -> str:
    """Return who is at the keyboard, if that one may switch rules and models."""
    from soc.access.permissions import Permission

    actor = who(suite)
    actor.require(Permission.AUTHOR)
    return actor.name


def _lines(made: Mapping[str, Any]) -> list[str]:
    rows = [
        {
            "model": one["name"],
            **{key: interval(figure) for key, figure in one["figures"].items()},
            "ms": one["latency_p95_ms"] and f"{one['latency_p95_ms']:.2f}",
        }
        for one in made["models"]
    ]
    return [
        made["task"]["question"],
        *table(rows, "model", *made["models"][0]["figures"], "ms"),
        made["conclusion"],
        f"{made['model']} is {made['state']}: {made['reason']}.",
    ]
