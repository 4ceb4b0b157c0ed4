#!/usr/bin/env python3
"""Write ``docs/reference/`` from the code: run it after every change of what people can call.

``make docs`` runs it; a test fails while what it would write differs from
what is there. The same code always gives the same text.
"""

import inspect
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any, get_args

import typer
from pydantic import BaseModel, SecretStr, TypeAdapter
from pydantic.fields import FieldInfo
from starlette.routing import Route

import soc
from soc import errors, plugins
from soc.access.permissions import LOCAL, PERSONAL, ROLES, SCOPES, Permission
from soc.app.home import create
from soc.app.suite import Suite
from soc.cli.main import app
from soc.content.folders import packaged
from soc.content.kinds import duration_text, schema_of
from soc.detect.detector import Mode as RuleMode
from soc.detect.sigma.load import load_rules
from soc.detect.sigma.logsource import DATASETS
from soc.detect.sigma.rule import Rule
from soc.detect.sigma.shippers import LINUX, SYSTEM, WINDOWS
from soc.incidents.kpis import definitions
from soc.ingest.parse import Intake
from soc.ingest.sources.model import Source
from soc.model.event import SCHEMA, SHOWN, Row
from soc.respond import action, expression, playbook, rehearsal
from soc.retain.policy import Policy
from soc.settings import Groups
from soc.settings import Mode as ResponseMode
from soc.threats.evidence.kinds import resolvers
from soc.threats.model import ThreatModel
from soc.watch.samples import Samples
from soc.web.app import build
from soc.web.front import Front

HERE = Path(__file__).parent / "reference"
NOTE = "<!-- Written by docs/generate.py from the code: change the code, then run make docs. -->"
MODELS: Mapping[str, type[BaseModel]] = MappingProxyType(
    {
        "playbook": playbook.Playbook,
        "playbook-test": rehearsal.Cases,
        "retention": Policy,
        "rule-test": Samples,
        "settings": Groups,
        "source": Source,
        "threat-model": ThreatModel,
    }
)
LIMITS = (
    ("minimum", "at least"),
    ("exclusiveMinimum", "more than"),
    ("maximum", "at most"),
    ("minLength", "length at least"),
    ("maxLength", "length at most"),
    ("pattern", "matching"),
)
FUNDING_EVENT = Path(soc.__file__).parent / "content" / "schemas" / "funding-event.json"


def pages() -> dict[str, str]:
    """Return every page, by its path under ``docs/reference``."""
    written = {
        "actions.md": actions(),
        "commands.md": commands(),
        "detectors.md": detectors(),
        "errors.md": error_tree(),
        "events.md": events(),
        "evidence.md": evidence(),
        "expressions.md": expressions(),
        "http.md": http(),
        "kpis.md": kpis(),
        "parsers.md": parsers(),
        "permissions.md": permissions(),
        "settings.md": settings(),
    }
    schemas = {f"schemas/{name}.json": schema_of(kind, name) for name, kind in MODELS.items()}
    schemas["schemas/funding-event.json"] = FUNDING_EVENT.read_text(encoding="utf-8")
    index = [f"- [{title_of(text)}]({path})" for path, text in sorted(written.items())]
    index += ["", "JSON Schemas, for editors and other tools:", ""]
    index += [f"- [{path.removeprefix('schemas/')}]({path})" for path in sorted(schemas)]
    words = "Made from the code by `make docs`; a test fails while they differ."
    return {"README.md": page("Reference", words, index), **written, **schemas}


def page(title: str, words: str, lines: Iterable[str]) -> str:
    """Return a page as text."""
    return "\n".join([f"# {title}", "", NOTE, "", words, "", *lines]).rstrip() + "\n"


def title_of(text: str) -> str:
    """Return the title of a page."""
    return text.partition("\n")[0].removeprefix("# ")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a table, with a blank line after it."""
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    lines = [f"| {' | '.join(row)} |" for row in [list(heads), ["---"] * len(heads), *cells]]
    return [*lines, ""]


def code(text: object) -> str:
    """Return *text* as code, or nothing for nothing."""
    return f"`{text}`" if str(text) else ""


def words_of(thing: object) -> str:
    """Return the docstring of *thing*, as paragraphs."""
    return inspect.cleandoc(thing.__doc__ or "").replace("``", "`")


def meanings(kind: type[StrEnum]) -> list[str]:
    """Return what the words of *kind* mean."""
    return [words_of(kind), "", "Values: " + ", ".join(code(word) for word in kind) + ".", ""]


def commands() -> str:
    """Return every command with its arguments and options."""
    root: Any = typer.main.get_command(app)
    lines = []
    for name, command in sorted(_commands(root, "soc")):
        lines += [f"## `{name}`", "", words_of_help(command.help), ""]
        if rows := [_parameter(one) for one in command.params if not one.hidden]:
            lines += table(("argument or option", "type", "default", "what it is"), rows)
    words = (
        f"{root.help} Results go to stdout and everything else to stderr. "
        "Exit codes: 0 fine, 1 a check failed or an error, 2 usage or a mistake in content. "
        "`SOC_HOME` stands for `--home`."
    )
    return page("Commands", words, lines)


def _commands(group: Any, path: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - typer's own classes are untyped here
    for name, one in group.commands.items():
        if getattr(one, "commands", None):
            yield from _commands(one, f"{path} {name}")
        elif not one.hidden:
            yield f"{path} {name}", one


def words_of_help(text: str | None) -> str:
    """Return the help of a command as Markdown."""
    return inspect.cleandoc(text or "").replace("``", "`")


def _parameter(one: Any) -> tuple[str, str, str, str]:  # noqa: ANN401 - as above
    is_argument = one.param_type_name == "argument"
    name = one.name.upper() if is_argument else ", ".join(one.opts)
    shown = f"{name}…" if is_argument and one.nargs == -1 else name
    kind = getattr(one.type_descriptor.annotation, "__name__", "str").lower()
    if kind == "list":
        inner = get_args(one.type_descriptor.annotation)[0].__name__.lower()
        kind = f"{inner}, repeated"
    default = "required" if one.required else code(_plain(one.default))
    return code(shown), kind, default, one.help or ""


def _plain(default: object) -> str:
    return "" if default in {None, False, ""} else str(default)


def settings() -> str:
    """Return every setting with its type and default."""
    groups = Groups()
    lines = []
    for name, field in sorted(Groups.model_fields.items()):
        group = getattr(groups, name)
        if not isinstance(group, BaseModel):
            kind = next(one for one in get_args(field.annotation) if hasattr(one, "model_fields"))
            form = "A map of names; each" if isinstance(group, Mapping) else "A list; each item"
            lines += [f"## `{name}`", "", f"{form}: {words_of(kind)}", ""]
            lines += _keys(kind, "", kind.model_fields)
            continue
        lines += [f"## `{name}`", "", words_of(group), ""]
        lines += _keys(type(group), name, type(group).model_fields)
        for key, inner in sorted(group):
            if isinstance(inner, BaseModel):
                lines += [f"### `{name}.{key}`", "", words_of(inner), ""]
                lines += _keys(type(inner), "", type(inner).model_fields)
    lines += ["## Words", "", *meanings(ResponseMode), *meanings(RuleMode)]
    words = (
        "In `settings.yml` of the home, a group and its keys; each can be overridden by a variable "
        "`SOC_<GROUP>__<KEY>`. Unknown keys are errors. Spans of time are written `90s`, `15m`, "
        "`24h` or `7d`. `soc check` names every mistake."
    )
    return page("Settings", words, lines)


def _keys(kind: type[BaseModel], group: str, fields: Mapping[str, FieldInfo]) -> list[str]:
    schema_ = TypeAdapter(kind).json_schema(mode="serialization")
    rows = []
    for key, field in sorted(fields.items()):
        variable = code(f"SOC_{group}__{key}".upper()) if group else ""
        default = "required" if field.is_required() else code(_value(field.default))
        of = _type(schema_["properties"][key], schema_.get("$defs", {}), field)
        name = f"{group}.{key}" if group else key
        rows.append((code(name), of, default, variable))
    return table(("key", "type", "default", "variable"), rows)


def _value(default: object) -> str:
    if isinstance(default, timedelta):
        return duration_text(default)
    if isinstance(default, StrEnum):
        return str(default)
    if isinstance(default, SecretStr):
        return "none"
    return json.dumps(default, default=_inner)


def _inner(default: object) -> object:
    if isinstance(default, BaseModel):
        return default.model_dump(mode="json")
    return list(default) if isinstance(default, Iterable) else str(default)


def _type(part: Mapping[str, Any], parts: Mapping[str, Any], field: FieldInfo) -> str:
    """Return the type of a field in words."""
    if "timedelta" in str(field.annotation):
        word = "span of time"
        return f"map to a {word}" if "Mapping" in str(field.annotation) else word
    return _shape(part, parts)


def _shape(part: Mapping[str, Any], parts: Mapping[str, Any]) -> str:
    while "$ref" in part:
        part = parts[part["$ref"].rpartition("/")[2]]
    match part:
        case {"enum": [*choices]}:
            said = "one of " + ", ".join(map(code, choices))
        case {"anyOf": [*either]}:
            said = " or ".join(_shape(one, parts) for one in either)
        case {"type": "array"}:
            said = f"list of {_shape(part.get('items', {}), parts)}"
        case {"type": "object", "properties": {**keys}}:
            said = "keys " + ", ".join(map(code, keys))
        case {"type": "object", "additionalProperties": {**inner}}:
            said = f"map to {_shape(inner, parts)}"
        case _:
            bounds = [f"{limit} {code(part[key])}" for key, limit in LIMITS if key in part]
            said = ", ".join([str(part.get("type", "any value")), *bounds])
    return said


def actions() -> str:
    """Return every action with its risk, parameters and example."""
    lines: list[str] = []
    for name, kind in sorted(plugins.load("soc.actions").items()):
        shape = kind.model_json_schema()
        undo = "yes" if kind.undoes else "no"
        facts = f"Risk: {code(kind.risk)}. Repeat: {code(kind.repeat)}. Can be undone: {undo}."
        rows = [
            (
                code(key),
                _shape(shape["properties"][key], shape.get("$defs", {})),
                "required" if field.is_required() else code(_value(field.default)),
                field.description or "",
            )
            for key, field in sorted(kind.model_fields.items())
        ]
        lines += [f"## `{name}`", "", words_of(kind), "", facts, ""]
        lines += table(("parameter", "type", "default", "what it is"), rows)
        lines += ["Example of `with`:", "", "```json", kind.example, "```", ""]
    lines += ["## Words", "", "### Risk", "", *meanings(action.Risk)]
    lines += ["### Repeat", "", *meanings(action.Repeat)]
    words = (
        "What a step of a playbook may `use`. What has an undo needs a `ttl` on its step. Actions "
        "are found by the entry points `soc.actions`; see "
        "[how to add one](../how-to/add-an-action.md)."
    )
    return page("Actions", words, lines)


def detectors() -> str:
    """Return every detector with its rules, and what Sigma rules are loaded."""
    found = load_rules([packaged("rules")])
    rows = []
    for name, kind in sorted(plugins.load("soc.detectors").items()):
        made = kind(Groups().detect)
        words = words_of(kind).partition("\n")[0]
        rows.append((code(name), ", ".join(map(code, made.rules)), words))
    lines = ["## Detectors", ""]
    lines += table(("detector", "rules", "what it does"), rows)
    every = sorted([*found.rules, *found.correlations], key=lambda rule: rule.name)
    counted = found.silent
    sigma = [
        (
            code(rule.name),
            rule.level,
            "counted only" if rule.name in counted else _kind(rule),
            rule.title,
            rule.path.relative_to(packaged("rules")).as_posix(),
        )
        for rule in every
    ]
    lines += ["## Sigma rules of the detector `sigma`", ""]
    lines += table(("rule", "level", "kind", "title", "file under rules/"), sigma)
    sources = [
        (
            code(dataset),
            "; ".join(
                ", ".join(f"{key} {code(word)}" for key, word in one._asdict().items() if word)
                for one in known
            ),
        )
        for dataset, known in sorted(DATASETS.items())
    ]
    lines += ["## Log sources", "", "A dataset `shop.audit` is also product `shop`,"]
    lines += ["service `audit`; a dataset `windows.*` is product `windows`.", ""]
    lines += table(("event.dataset", "log sources it counts as"), sources)
    lines += ["", "## Fields as shippers call them", ""]
    lines += [
        "With the pipeline `winlogbeat`, what a rule for Windows asks of a field may also stand"
    ]
    lines += [
        "under these names, and with `auditd`, what one for Linux asks. Other fields of Windows are"
    ]
    lines += ["those of `winlog.event_data`, of Linux those of `auditd.log` and `auditd.data`.", ""]
    called = [
        (code(field), name, ", ".join(map(code, names)))
        for name, known in (("winlogbeat", {**SYSTEM, **WINDOWS}), ("auditd", LINUX))
        for field, names in sorted(known.items())
    ]
    lines += table(("field", "pipeline", "names"), called)
    words = (
        "What looks at events, and the slugs that its findings carry. How each decides and what it "
        "cannot see: [detection](../explanation/detection.md)."
    )
    return page("Detectors and rules", words, lines)


def _kind(rule: object) -> str:
    return "single event" if isinstance(rule, Rule) else str(getattr(rule, "kind", ""))


def parsers() -> str:
    """Return every parser, in the order in which they are asked."""
    made = {name: kind() for name, kind in plugins.load("soc.parsers").items()}
    rows = [(code(name), words_of(type(made[name]))) for name in Intake(made).formats]
    words = (
        "Asked from top to bottom; the first that claims a line reads it, and what none claims is "
        "a reject, kept with its reason. `--format` takes these names, `auto`, `ndjson` and `evtx`."
    )
    return page("Parsers", words, table(("parser", "what it takes"), rows))


def permissions() -> str:
    """Return which role and which scope allows what."""
    heads = ("", *map(code, Permission))
    roles = [(code(role), *_marks(given)) for role, given in sorted(ROLES.items())]
    scopes = [(code(scope), *_marks(given)) for scope, given in sorted(SCOPES.items())]
    local = [("the owner of the home", *_marks(LOCAL))]
    personal = ", ".join(map(code, sorted(PERSONAL)))
    lines = [words_of(Permission), "", "## Roles of people", "", *table(heads, roles)]
    lines += ["## Scopes of tokens", "", *table(heads, scopes)]
    lines += [f"A token without a person never carries {personal}. A person's token allows what"]
    lines += ["both its scope and the person's roles allow.", ""]
    lines += ["## Local commands without `SOC_TOKEN`", "", *table(heads, local)]
    return page("Permissions", "The one table that everything asks.", lines)


def _marks(given: frozenset[Permission]) -> list[str]:
    return ["yes" if one in given else "" for one in Permission]


def events() -> str:
    """Return the columns of the event store."""
    rows = [
        (code(field.name), str(field.type), "yes" if field.name in SHOWN else "")
        for field in SCHEMA
    ]
    lines = table(("column", "type", "in the view `events`"), rows)
    lines += [words_of(Row), ""]
    lines += ["The format in which funding platforms send is a JSON Schema:"]
    lines += ["[funding-event.json](schemas/funding-event.json).", ""]
    words = "What is stored of every event. `soc sql` and detectors see these columns."
    return page("Event store columns", words, lines)


def evidence() -> str:
    """Return the kinds of evidence that a threat model may name."""
    rows = [
        (
            code(name),
            one.about or "nothing",
            code(one.proof),
            words_of(type(one)).partition("\n")[0],
        )
        for name, one in sorted(resolvers().items())
    ]
    words = "What may stand under `evidence` of a control in a threat model."
    return page("Evidence", words, table(("kind", "about", "proves at most", "what it is"), rows))


def expressions() -> str:
    """Return what may stand in ``${{ }}``."""
    allowed = sorted(node.__name__ for node in expression.ALLOWED)
    rows = [
        ("names", ", ".join(map(code, sorted(expression.ROOTS)))),
        ("filters", ", ".join(map(code, sorted(expression.FILTERS)))),
        ("tests", ", ".join(map(code, sorted(expression.TESTS)))),
        ("kinds of node", ", ".join(map(code, allowed))),
        ("longest expression", f"{expression.LONGEST} characters"),
        ("longest text that leaves", f"{expression.MOST_TEXT} characters"),
        ("deepest value that leaves", str(expression.DEEPEST)),
    ]
    words = words_of(expression)
    return page("Expressions", words, table(("what", "allowed"), rows))


def kpis() -> str:
    """Return what each figure says, and by which query its rows give it."""
    groups = Groups.model_fields["incidents"].get_default().kpis
    rows = "Rows: `/api/v1/kpis/rows?kpi=SLUG&window=7d&format=csv`."
    lines = [words_of(definitions), "", rows, ""]
    for kpi in definitions.ALL:
        lines += [f"## {kpi.title}", "", kpi.definition, ""]
        lines += [f"`{kpi.slug}`, unit: {kpi.unit.replace('_', ' ')}."]
        if kpi.levels:
            good, warning, critical = getattr(groups, kpi.levels)
            lines += [f"Good up to {good:g}, a finding `soc-kpi-{kpi.slug}` from {warning:g}"]
            lines += [f"(medium) and {critical:g} (high): `incidents.kpis.{kpi.levels}`."]
        lines += ["", "```sql", kpi.query, "```", ""]
    return page("KPIs", "Every figure of `soc kpis`, `/api/v1/kpis` and the page KPIs.", lines)


def http() -> str:
    """Return every route of the front door."""
    with TemporaryDirectory() as folder:
        suite = Suite(create(Path(folder) / "home").path)
        with closing(suite.log()) as log:
            made = build(Front(suite, log))
            described = made.openapi()
            routes = list(_routes(made.routes))
        suite.database.dispose()
    rows = []
    for path, methods in sorted(described["paths"].items()):
        for method, about in sorted(methods.items()):
            asked = ", ".join(code(one["name"]) for one in about.get("parameters", []))
            said = about.get("description", "").partition("\n")[0]
            rows.append((code(f"{method.upper()} {path}"), asked, said))
    lines = ["## API and edges", "", *table(("route", "parameters", "what it does"), rows)]
    known = set(described["paths"])
    others = sorted({(p, m) for p, m in routes if p not in known and not p.startswith("/static")})
    lines += ["## Intake, handshakes and health", ""]
    lines += table(("route", "methods"), ((code(path), methods) for path, methods in others))
    words = (
        "The routes of the first table and `_bulk` need `Authorization: Bearer` and a token, or on "
        "the home's socket its owner; the handshakes and the health routes need none. The document "
        "for tools is at `/api/openapi.json`. Everything else is the console."
    )
    return page("HTTP routes", words, lines)


CONSOLE = ("soc.web.console.", "soc.web.login")


def _routes(routes: Iterable[object]) -> Iterator[tuple[str, str]]:
    for route in routes:
        is_ours = isinstance(route, Route) and not route.endpoint.__module__.startswith(CONSOLE)
        if is_ours and route.methods:
            yield route.path_format, ", ".join(sorted(route.methods))


def error_tree() -> str:
    """Return the tree of errors, and what each says."""
    drawn = inspect.cleandoc(errors.__doc__ or "")
    found = (getattr(errors, name) for name in dir(errors) if not name.startswith("_"))
    kinds = [one for one in found if inspect.isclass(one) and issubclass(one, errors.SocError)]
    rows = [(code(one.__name__), words_of(one)) for one in sorted(kinds, key=lambda k: k.__name__)]
    lines = ["```text", drawn, "```", "", *table(("code", "message"), rows)]
    return page("Errors", "The class name is the code that the API answers as `error`.", lines)


def main() -> None:
    """Write every page, and remove what is no longer one."""
    made = pages()
    for path, text in made.items():
        target = HERE / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    for path in sorted(HERE.rglob("*")):
        if path.is_file() and path.relative_to(HERE).as_posix() not in made:
            path.unlink()
    sys.stdout.write(f"{len(made)} files under {os.path.relpath(HERE)}\n")


if __name__ == "__main__":
    main()
