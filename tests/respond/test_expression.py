"""Expressions compute with data; data never becomes an expression."""

import pytest

from soc.errors import ExpressionError
from soc.respond.expression import problems, render, truth

CONTEXT = {
    "incident": {
        "id": "${{ 7 * 7 }}{{ 7*7 }}",
        "wallets": ["0xAbC", "0x1"],
        "risk": 0.5,
        "n": None,
    },
    "steps": {"ask": {"approved": True}},
    "item": "0xAbC",
    "run": {"id": 3, "playbook": "p"},
}
VALUES = {
    "a list keeps its type": ("${{ incident.wallets }}", ["0xAbC", "0x1"]),
    "a wallet stays text": ("${{ item }}", "0xAbC"),
    "a number in text": ("RUN-${{ run.id }}", "RUN-3"),
    "data is not evaluated": ("${{ incident.id }}", "${{ 7 * 7 }}{{ 7*7 }}"),
    "nor inside text": ("see ${{ incident.id }}!", "see ${{ 7 * 7 }}{{ 7*7 }}!"),
    "a filter": ("${{ incident.wallets | length }}", 2),
    "join": ("${{ incident.wallets | join(', ') }}", "0xAbC, 0x1"),
    "arithmetic": ("${{ incident.risk * 2 + 1 }}", 2.0),
    "a condition": ("${{ 'a' if steps.ask.approved else 'b' }}", "a"),
    "null": ("${{ incident.n }}", None),
    "nested": ({"a": ["${{ run.id }}"]}, {"a": [3]}),
    "no expression": ("{{ 7*7 }}", "{{ 7*7 }}"),
}
ATTACKS = [
    "''.__class__", "incident.__class__", "incident['__class__'].x", "().__class__.__mro__",
    "incident.items()", "range(9)", "lipsum()", "cycler", "self", "config", "request",
    "'a' * 10**9", "'a' * 1000000", "'%1000000s' % 1", "2 ** 99", "incident.missing",
    "item | attr('x')", "item | format", "item | map('upper')", "item | tojson", "item is callable",
    "1 // 0", "1 / 0", "[x for x in incident]", "a", "x + 1", "{% raw %}", "1 }} {{ 2", "",
    "incident.wallets[99]", "run.id + 'a'", "'a'.join(incident.wallets)", "print(1)", "item; 1",
    "incident.id.format(1)", "steps.ask.approved()", "not_defined | default(x)", "x" * 3000,
]  # fmt: skip


@pytest.mark.parametrize(("given", "value"), VALUES.values(), ids=VALUES)
def test_values_keep_their_type(given: object, value: object) -> None:
    assert render(given, CONTEXT) == value


@pytest.mark.parametrize("source", ATTACKS, ids=range(len(ATTACKS)))
def test_what_is_not_allowed_is_refused_at_once(source: str) -> None:
    with pytest.raises(ExpressionError):
        render("${{ " + source + " }}", CONTEXT)


def test_mistakes_are_found_without_data() -> None:
    given = {"with": {"a": "${{ incidnt.id }}", "b": ["${{ item | nope }}"]}, "ok": "${{ item }}"}

    found = list(problems(given))

    assert len(found) == 2
    assert "incidnt" in found[0]
    assert "nope" in found[1]


@pytest.mark.parametrize(
    "given", ["${{ run.id }}", "${{ incident.wallets }}", "true", "${{ item }}"]
)
def test_a_condition_is_true_or_false_and_nothing_else(given: str) -> None:
    with pytest.raises(ExpressionError, match="true or false"):
        truth(given, CONTEXT)


@pytest.mark.parametrize("name", ["items", "keys", "values", "get", "pop", "copy"])
def test_what_data_calls_like_a_method_is_data(name: str) -> None:
    context = {"inputs": {name: [1]}, "incident": {}}

    assert render(f"${{{{ inputs.{name} }}}}", context) == [1]
    with pytest.raises(ExpressionError, match=r"undefined|no attribute"):
        render(f"${{{{ incident.{name} }}}}", context)


def test_a_text_has_no_methods() -> None:
    with pytest.raises(ExpressionError, match="no attribute"):
        render("${{ incident.id.upper }}", {"incident": {"id": "x"}})


def test_default_stands_in_for_what_is_missing_at_any_depth() -> None:
    context = {"steps": {}}

    assert render("${{ steps.ask.answer.by | default('nobody') }}", context) == "nobody"
    with pytest.raises(ExpressionError, match="ask"):
        render("${{ steps.ask.answer.by }}", context)
