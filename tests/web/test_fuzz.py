"""Broken input of every kind: no 5xx, no exception, and accepted + rejected + refused = sent."""

import gzip
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from starlette.testclient import TestClient

from soc import plugins
from soc.content.folders import files, packaged
from soc.detect.sigma.load import load_rules
from soc.errors import ContentError, Problem
from soc.respond.playbook import read
from soc.web.front import Front

Random = random.Random
Change = Callable[[Random, str], str]
EACH = 50
SEED = 20261125


def document(rng: Random) -> str:
    return json.dumps(
        {
            "@timestamp": "2026-11-23T12:00:00Z",
            "event": {
                "dataset": rng.choice(["platform.access", "chain.donation", "x"]),
                "id": str(rng.random()),
            },
            "wallet": {"address": f"0x{rng.getrandbits(160):040x}"},
            "funding": {"amount": {"raw": str(rng.getrandbits(64))}, "round": {"id": "r"}},
            "source": {"ip": "192.0.2.1"},
            "tags": [1, None, True],
        }
    )


def swap_type(rng: Random, text: str) -> str:
    value = json.loads(text)
    key = rng.choice(sorted(value))
    value[key] = rng.choice([None, 1, -1.5, True, "x", [], {}, [[{}]], {"a": None}, 10**18])
    return json.dumps(value)


def duplicate_key(rng: Random, text: str) -> str:
    key = rng.choice(["@timestamp", "event", "wallet", "zzz"])
    return text[:-1] + f', "{key}": {rng.choice(["1", "null", "{}", chr(34) + "x" + chr(34)])}}}'


def nest(rng: Random, text: str) -> str:
    depth = rng.choice([10, 60, 70, 500, 5000])
    return text[:-1] + ', "deep": ' + "[" * depth + "]" * depth + "}"


def lone_surrogate(rng: Random, text: str) -> str:
    return (
        text[:-1]
        + f', "s": "{rng.choice([chr(92) + "ud800", chr(92) + "udfff", chr(92) + "u0000"])}"}}'
    )


def huge_number(rng: Random, text: str) -> str:
    number = rng.choice(["1e999", "9" * 400, "-" + "9" * 30, "1e-999", "0.1" + "1" * 500])
    place = rng.choice(['"big"', '"@timestamp"', '"funding.amount.raw"'])
    return text[:-1] + f", {place}: {number}}}"


def cut(rng: Random, text: str) -> str:
    return text[: rng.randrange(1, len(text))]


def same(_rng: Random, text: str) -> str:
    return text


DOCUMENT_CHANGES: dict[str, Change] = {
    "type swap": swap_type,
    "duplicate key": duplicate_key,
    "depth": nest,
    "lone surrogate": lone_surrogate,
    "huge number": huge_number,
    "cut": cut,
    "none": same,
}


def send(client: TestClient, headers: dict[str, str], content: bytes, sent: int) -> tuple[int, int]:
    """Return how many documents were taken and how many refused."""
    answer = client.post("/fuzz/_bulk", content=content, headers=headers)
    assert answer.status_code in {200, 400, 413}, answer.text
    if answer.status_code != 200:
        assert answer.json()["error"]["reason"]
        return 0, sent
    refused = sum(item[name]["status"] == 400 for item in answer.json()["items"] for name in item)
    return sent - refused, refused


@pytest.mark.parametrize("change", DOCUMENT_CHANGES.values(), ids=DOCUMENT_CHANGES)
def test_every_document_is_accepted_rejected_or_refused(
    client: TestClient, front: Front, tokens: dict[str, dict[str, str]], change: Change
) -> None:
    rng = Random(SEED)
    lines = [change(rng, document(rng)) for _ in range(EACH)]
    content = "".join(f'{{"create":{{}}}}\n{line}\n' for line in lines).encode(
        "utf-8", "surrogatepass"
    )

    taken, refused = send(client, tokens["ingest"], content, EACH)

    events, rejects = len(front.log.reader.scan(0, 10_000)), len(front.log.reader.rejects())
    assert events + rejects == taken
    assert events + rejects + refused == EACH
    assert all(map(orjson.loads, front.log.reader.scan(0, 10_000).column("raw")))


def wrong_pairs(rng: Random) -> bytes:
    lines = []
    for _ in range(4):
        action = rng.choice(
            [
                '{"create":{}}',
                '{"index":{"_id":"a"}}',
                '{"delete":{}}',
                '{"update":{}}',
                "{}",
                "[]",
                '{"create":1}',
                "x",
            ]
        )
        lines += rng.sample([action, document(rng), document(rng)], k=rng.choice([1, 2, 3]))
    return "\n".join(lines).encode() + b"\n"


def test_wrong_pairs_are_refused_or_taken_and_never_break(
    client: TestClient, front: Front, tokens: dict[str, dict[str, str]]
) -> None:
    rng = Random(SEED)
    for _ in range(EACH):
        before = front.log.reader.view().upto
        answer = client.post("/fuzz/_bulk", content=wrong_pairs(rng), headers=tokens["ingest"])
        stored = front.log.reader.view().upto - before
        assert answer.status_code in {200, 400}, answer.text
        statuses = [i[n]["status"] for i in answer.json().get("items", []) for n in i]
        assert stored == statuses.count(201)


def test_truncated_gzip_stores_nothing(
    client: TestClient, front: Front, tokens: dict[str, dict[str, str]]
) -> None:
    rng = Random(SEED)
    whole = gzip.compress(
        b"".join(b'{"create":{}}\n' + document(rng).encode() + b"\n" for _ in range(20))
    )
    headers = {**tokens["ingest"], "Content-Encoding": "gzip"}

    for _ in range(EACH):
        answer = client.post(
            "/fuzz/_bulk", content=whole[: rng.randrange(len(whole))], headers=headers
        )
        assert answer.status_code == 400

    assert front.log.reader.view().upto == 0


LINES = (
    '192.0.2.7 - ines [23/Nov/2026:12:00:00 +0000] "GET /a?b=c HTTP/1.1" 404 12 "-" "curl"',
    '<38>1 2026-11-23T12:00:00Z h sshd 7 - [a@1 b="c"] Failed password for bob from 192.0.2.1 port 22 ssh2',
)


def mutated(rng: Random, text: str) -> str:
    characters = list(text)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(characters))
        characters[at] = rng.choice(
            ['"', "[", "]", "\\", "<", " ", "\x00", "é", "9", "", "\ud800", "]" * 50]
        )
    return "".join(characters)


def test_every_log_line_is_an_event_or_a_reject(
    client: TestClient, front: Front, tokens: dict[str, dict[str, str]]
) -> None:
    rng = Random(SEED)
    lines = [mutated(rng, rng.choice(LINES)) for _ in range(10 * EACH)]
    lines = [line for line in lines if line.strip() and "\n" not in line]
    content = "\n".join(lines).encode("utf-8", "surrogatepass")

    answer = client.post("/api/v1/ingest?source=s", content=content, headers=tokens["ingest"])

    assert answer.status_code == 200
    counted = answer.json()
    assert counted["accepted"] + counted["rejected"] == len(lines)
    assert counted["accepted"] > EACH
    assert front.log.reader.view().upto == len(lines)


YAML_VALUES = [
    "null",
    "1e5",
    "on",
    "true",
    "-1",
    "9" * 400,
    "[]",
    "{}",
    "[[[x]]]",
    "{a: b}",
    "''",
    "'x: y'",
    "2026-13-01",
]
YAML_TRAPS = [
    "*a",
    "&a x",
    "!!python/object:os.system x",
    "[",
    "{",
    ": :",
    "\t- x",
    "|",
    "\x07",
    "[" * 60,
]


def broken_yaml(rng: Random, text: str) -> str:
    """Change a line or two; most changes leave YAML that is no longer what it should be."""
    lines = text.splitlines()
    for _ in range(rng.randrange(1, 3)):
        at = rng.randrange(len(lines))
        key, colon, _ = lines[at].partition(": ")
        kind = rng.randrange(10)
        if kind < 5 and colon:
            lines[at] = f"{key}: {rng.choice(YAML_VALUES)}"
        elif kind < 7:
            lines.insert(at, lines[at])
        elif kind < 8 and colon:
            lines[at] = f"{key}x{colon}" + lines[at].partition(": ")[2]
        elif kind < 9:
            lines[at] = f"{key}: {rng.choice(YAML_TRAPS)}"
        else:
            del lines[at]
    return "\n".join(lines) + "\n"


def is_yaml(text: str) -> bool:
    try:
        yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        return False
    return True


def texts(kind: str) -> Iterator[str]:
    for path in files(packaged(kind)):
        yield path.read_text()


def mistakes_of(path: Path, actions: dict[str, Any]) -> tuple[Problem, ...]:
    try:
        read(path, actions)
    except ContentError as wrong:
        return wrong.problems
    return ()


def test_a_broken_playbook_is_a_value_or_mistakes_with_lines(tmp_path: Path) -> None:
    actions: dict[str, Any] = plugins.load("soc.actions")
    rng, path = Random(SEED), tmp_path / "x.yml"
    tried = [broken_yaml(rng, text) for text in texts("playbooks") for _ in range(EACH)]
    for text in tried:
        path.write_text(text)
        mistakes = mistakes_of(path, actions)
        assert all(problem.line >= 1 and problem.message for problem in mistakes)

    assert sum(map(is_yaml, tried)) > 0.6 * len(tried)


def test_a_broken_rule_is_a_rule_or_a_problem(tmp_path: Path) -> None:
    rng = Random(SEED)
    tried = [broken_yaml(rng, text) for text in texts("rules") for _ in range(EACH // 5)]
    for number, text in enumerate(tried):
        (tmp_path / f"r{number}.yml").write_text(text)

    ruleset = load_rules([tmp_path])

    assert all(problem.line >= 1 and problem.message for problem in ruleset.failed)
    assert sum(1 for text in tried if all(is_yaml(part) for part in text.split("---"))) > 0.6 * len(
        tried
    )
