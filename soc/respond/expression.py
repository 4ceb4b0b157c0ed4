"""``${{ expression }}``: a locked-down subset of Jinja2 expressions.

A whole expression keeps its type; inside text it becomes text. What data says is never evaluated:
an incident called ``${{ 7 * 7 }}`` stays that. No templates, no calls, no private attributes, no
``**``; ``*`` and ``%`` are for numbers; only JSON values of at most 64 KiB of text leave.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, nodes
from jinja2.exceptions import SecurityError, TemplateError
from jinja2.runtime import Context, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from soc.errors import ExpressionError, NotFound
from soc.respond.secrets import Secret, SecretText

MARK = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
LONGEST = 2_000
MOST_TEXT = 64 * 1024
DEEPEST = 20
ROOTS = frozenset({"incident", "inputs", "steps", "item", "run"})
SECRET = re.compile(r"\s*secrets\.([A-Z][A-Z0-9_]{0,63})\s*")
ALONE = "a secret stands alone, such as ${{ secrets.NAME }}: what else touches it could show it"
ALLOWED = (
    nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Const, nodes.Name,
    nodes.Getattr, nodes.Getitem, nodes.List, nodes.Dict, nodes.Pair, nodes.Tuple, nodes.CondExpr,
    nodes.Filter, nodes.Test, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.Mod, nodes.Neg,
    nodes.Concat,
)  # fmt: skip
FILTERS = frozenset(
    [
        "abs",
        "default",
        "first",
        "float",
        "int",
        "join",
        "last",
        "length",
        "list",
        "lower",
        "max",
        "min",
        "round",
        "sort",
        "string",
        "sum",
        "unique",
        "upper",
    ]
)
TESTS = frozenset(
    [
        "defined",
        "none",
        "number",
        "string",
        "in",
        "eq",
        "ne",
        "lt",
        "le",
        "gt",
        "ge",
        "true",
        "false",
        "boolean",
    ]
)


class _Environment(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"*", "%", "+"})

    def getattr(self, obj: Any, attribute: str) -> Any:  # noqa: ANN401 - Jinja2's signature
        """Return what data has under a name; its methods are no data."""
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:  # noqa: ANN401 - as above
        if isinstance(obj, Undefined):
            return obj  # what is missing first is what is told, unless default stands in for it
        try:
            return obj[argument]
        except (TypeError, LookupError):
            return self.undefined(obj=obj, name=argument)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401 - Jinja2's signature
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        if operator in {"*", "%"} and not numbers:
            raise SecurityError(f"{operator} is for numbers")
        if operator == "+" and not numbers and len(left) + len(right) > MOST_TEXT:
            raise SecurityError("the result is too long")
        return super().call_binop(context, operator, left, right)


def render(value: object, context: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
    """Return *value* with every expression in it replaced; raises ExpressionError."""
    if isinstance(value, Mapping):
        return {key: render(inner, context) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [render(inner, context) for inner in value]
    if not isinstance(value, str) or "${{" not in value:
        return value
    whole = MARK.fullmatch(value.strip())
    if whole and value.count("${{") == 1:
        return _evaluate(whole[1], context)
    # Texts and sources take turns: what is rendered is never looked at again.
    parts = [
        _evaluate(part, context) if place % 2 else part
        for place, part in enumerate(MARK.split(value))
    ]
    if any(isinstance(part, Secret) for part in parts):
        return SecretText([p if isinstance(p, Secret) else str(p) for p in parts])
    return "".join(map(str, parts))


def truth(value: str, context: Mapping[str, Any]) -> bool:
    """Return what a ``when`` says; raises ExpressionError if it says neither true nor false."""
    answer = render(value, context)
    if not isinstance(answer, bool):
        raise ExpressionError(f"when must give true or false, not {type(answer).__name__}: {value}")
    return answer


def problems(value: object) -> Iterator[str]:
    """Yield what is wrong with the expressions in *value*, without evaluating any."""
    for source in _sources(value):
        try:
            if not SECRET.fullmatch(source):
                _compile(source)
        except ExpressionError as wrong:
            yield wrong.reason


def references(value: object) -> Iterator[tuple[str, str]]:
    """Yield what the expressions in *value* read: a root and the name below it, if it has one."""
    for source in _sources(value):
        yield from _read_by(source)


@lru_cache(maxsize=1024)
def _read_by(source: str) -> tuple[tuple[str, str], ...]:
    """Return what one expression reads."""
    if secret := SECRET.fullmatch(source):
        return (("secrets", secret[1]),)
    tree = _environment().parse("{{ (" + source + ") }}")
    below = {}
    for node in tree.find_all(nodes.Expr):
        if isinstance(node, nodes.Getattr | nodes.Getitem) and (name := _name_below(node)):
            below[id(node.node)] = name
    return tuple((node.name, below.get(id(node), "")) for node in tree.find_all(nodes.Name))


def _name_below(node: nodes.Getattr | nodes.Getitem) -> str:
    if isinstance(node, nodes.Getattr):
        return node.attr
    return str(node.arg.value) if isinstance(node.arg, nodes.Const) else ""


def _sources(value: object) -> Iterator[str]:
    """Yield the source of every expression in *value*."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _sources(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _sources(inner)
    elif isinstance(value, str):
        yield from (found[1] for found in MARK.finditer(value))


def _evaluate(source: str, context: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
    if secret := SECRET.fullmatch(source):
        return _secret(secret[1], context)
    try:
        result = _compile(source)(**context)
        if isinstance(result, Undefined):
            str(result)  # a StrictUndefined says here what is missing
        return _plain(result, 0)
    except (TemplateError, ArithmeticError, TypeError, ValueError, LookupError) as wrong:
        raise ExpressionError(f"{source.strip()}: {wrong}") from wrong


def _secret(name: str, context: Mapping[str, Any]) -> Secret:
    """Return a secret, unread; raises ExpressionError where there are none."""
    try:
        found: Secret = context["secrets"](name)
    except (KeyError, NotFound) as missing:
        raise ExpressionError(f"secrets.{name}: {missing}") from missing
    return found


@lru_cache(maxsize=1024)
def _compile(source: str) -> Callable[..., Any]:
    text = source.strip()
    if len(text) > LONGEST:
        raise ExpressionError(f"an expression is longer than {LONGEST} characters")
    environment = _environment()
    try:
        tree = environment.parse("{{ (" + text + ") }}")
    except TemplateError as wrong:
        raise ExpressionError(f"{text}: {wrong}") from wrong
    output = tree.body[0] if len(tree.body) == 1 else None
    if not isinstance(output, nodes.Output) or len(output.nodes) != 1:
        raise ExpressionError(f"{text}: write one expression")
    for node in (output.nodes[0], *output.nodes[0].find_all(nodes.Node)):
        if reason := _refusal(node):
            raise ExpressionError(f"{text}: {reason}")
    return environment.compile_expression(text, undefined_to_none=False)


def _refusal(node: nodes.Node) -> str | None:
    if not isinstance(node, ALLOWED):
        return f"{type(node).__name__} is not allowed in an expression"
    if isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
        return "private attributes are not allowed"
    if isinstance(node, nodes.Name) and node.name not in ROOTS:
        return ALONE if node.name == "secrets" else _unknown("name", node.name, ROOTS)
    if isinstance(node, nodes.Filter) and node.name not in FILTERS:
        return _unknown("filter", node.name, FILTERS)
    if isinstance(node, nodes.Test) and node.name not in TESTS:
        return _unknown("test", node.name, TESTS)
    return None


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    return f"unknown {what} {name!r}: known are {', '.join(sorted(known))}"


@lru_cache(maxsize=1)
def _environment() -> _Environment:
    environment = _Environment(undefined=StrictUndefined, autoescape=False)
    environment.globals.clear()
    environment.filters = {k: v for k, v in environment.filters.items() if k in FILTERS}
    environment.tests = {k: v for k, v in environment.tests.items() if k in TESTS}
    return environment


def _plain(value: object, depth: int) -> Any:  # noqa: ANN401 - any JSON value
    if depth > DEEPEST:
        raise ExpressionError("the value is nested too deep")
    if isinstance(value, str) and len(value) > MOST_TEXT:
        raise ExpressionError("the value is too long")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_plain(inner, depth + 1) for inner in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(inner, depth + 1) for key, inner in value.items()}
    raise ExpressionError(f"an expression gave a {type(value).__name__}")
