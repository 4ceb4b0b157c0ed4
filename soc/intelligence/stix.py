"""Indicators of a STIX 2.1 bundle: the patterns that name one value, or one of several.

That is ``[ipv4-addr:value = '192.0.2.7']``, with OR inside and between the brackets, and ISSUBSET
for networks. A pattern that asks for more, such as AND or a time, is refused: a list of values
cannot say it. Wallets are ``[cryptocurrency-wallet:value = '0x…']``, accounts
``[user-account:account_login = '…']``.
"""

import re
from collections.abc import Iterator
from typing import Any

from soc.intelligence.indicator import Kind

PATHS = {
    "ipv4-addr:value": Kind.IP,
    "ipv6-addr:value": Kind.IP,
    "domain-name:value": Kind.DOMAIN,
    "url:value": Kind.URL,
    "cryptocurrency-wallet:value": Kind.WALLET,
    "cryptocurrency-wallet:address": Kind.WALLET,
    "user-account:account_login": Kind.ACCOUNT,
    "user-account:user_id": Kind.ACCOUNT,
    "file:hashes.MD5": Kind.HASH,
    "file:hashes.SHA-1": Kind.HASH,
    "file:hashes.SHA-256": Kind.HASH,
}
TOKEN = re.compile(
    r"\s*(?:(?P<open>\[)|(?P<close>\])|(?P<or>OR\b)|(?P<op>=|ISSUBSET\b|IN\b)"
    r"|(?P<text>'(?:[^'\\]|\\.)*')|(?P<path>[a-z0-9-]+:[A-Za-z0-9_.'\"-]+)|(?P<bracket>[(),]))"
)
ESCAPED = re.compile(r"\\(.)")


def values_of(pattern: str) -> list[tuple[Kind, str]]:
    """Return the values that *pattern* names, any of which will do; raises ValueError."""
    tokens = list(_tokens(pattern))
    found: list[tuple[Kind, str]] = []
    while True:
        if _take(tokens) != ("open", "["):
            raise ValueError("a pattern begins with [")
        found.append(_compared(tokens))
        while (token := _take(tokens)) == ("or", "OR"):
            found.append(_compared(tokens))
        if token != ("close", "]"):
            raise ValueError(f"{token[1] or 'its end'} cannot stand there: write OR or ]")
        if not tokens:
            return found
        if _take(tokens) != ("or", "OR"):
            raise ValueError("only OR may stand between brackets")


def _compared(tokens: list[tuple[str, str]]) -> tuple[Kind, str]:
    kind, path = _take(tokens)
    known = PATHS.get(path.replace("'", "").replace('"', ""))
    if kind != "path" or known is None:
        raise ValueError(f"{path or 'nothing'} is not looked for: known are {', '.join(PATHS)}")
    _, sign = _take(tokens)
    if sign != "=" and not (sign == "ISSUBSET" and known is Kind.IP):
        raise ValueError(f"{sign or 'nothing'} after {path}: write = and one value")
    word, text = _take(tokens)
    if word != "text":
        raise ValueError(f"the value of {path} is missing: write it between single quotes")
    return known, ESCAPED.sub(r"\1", text[1:-1])


def _take(tokens: list[tuple[str, str]]) -> tuple[str, str]:
    return tokens.pop(0) if tokens else ("", "")


def _tokens(pattern: str) -> Iterator[tuple[str, str]]:
    text, at = pattern.strip(), 0
    while at < len(text):
        found = TOKEN.match(text, at)
        if found is None:
            raise ValueError(f"{text[at:].split()[0][:40]} is not understood")
        kind = next(name for name, value in found.groupdict().items() if value is not None)
        yield kind, found[kind]
        at = found.end()


def entries_of(indicator: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what an indicator object says, as entries are made of; raises ValueError."""
    if indicator.get("pattern_type", "stix") != "stix":
        raise ValueError(f"pattern_type {indicator['pattern_type']}: only stix is read")
    pattern, confidence = indicator.get("pattern", ""), indicator.get("confidence", 100)
    if not (isinstance(pattern, str) and pattern):
        told = "pattern is missing"
        raise ValueError(told)
    if type(confidence) not in {int, float}:
        told = "confidence: write a number from 0 to 100"
        raise ValueError(told)
    shared = {
        "confidence": confidence / 100,
        "label": str(indicator.get("name", ""))[:200],
        "expires": indicator.get("valid_until"),
    }
    return [{"kind": kind, "value": value, **shared} for kind, value in values_of(pattern)]
