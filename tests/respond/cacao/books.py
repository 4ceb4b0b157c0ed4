"""Playbooks of every kind, made up by hypothesis."""

from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from soc.respond.playbook import Playbook
from tests.respond.stage import playbook


def _short(number: float) -> float:
    """Return *number* with no more digits than our files write."""
    return round(number, 6)


NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="$"), max_size=12)
SPANS = st.sampled_from(["1s", "90s", "15m", "36h", "7d", "100000s"])
WHENS = st.none() | st.sampled_from(["${{ incident.severity == 'high' }}", "${{ true }}"])
JSONS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(-1e6, 1e6).map(_short)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
RETRIES = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "attempts": st.integers(1, 20),
        "delay": SPANS,
        "factor": st.floats(1, 10).map(_short),
        "max": SPANS,
        "on": st.lists(st.sampled_from(["timeout", "denied", "error"]), max_size=2),
    },
)
HANDLING = st.sampled_from([None, "stop", "continue", "undo"])


def _given(told: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in told.items() if value is not None}


NOTES = st.builds(
    lambda text, key, retry, items: _given(
        {
            "use": "incident.note",
            "with": {"text": text},
            "key": key,
            "retry": retry,
            "for_each": items,
            "max_items": 7 if items else None,
        }
    ),
    TEXTS,
    st.sampled_from([None, "${{ run.id }}-x"]),
    RETRIES,
    st.sampled_from([None, "${{ incident.wallets }}"]),
)
LIMITS = st.builds(
    lambda ttl, rate: {
        "use": "wallet.rate_limit",
        "with": {"wallet": "${{ item }}", "rate": rate, "burst": 1},
        "for_each": "${{ incident.wallets }}",
        "ttl": ttl,
    },
    SPANS,
    st.integers(1, 9),
)
BREAKS = st.builds(
    lambda word, ttl: {
        "use": "test.break",
        "with": {"file": "/tmp/x", "word": "${{ secrets.TOKEN }}"},
        "ttl": ttl,
        "undo": {"use": "test.touch", "with": {"file": "/tmp/x", "word": word}},
    },
    TEXTS,
    SPANS,
)
GONE = st.just({"use": "test.break", "with": {"file": "/tmp/x"}, "no_undo": "gone is gone"})
ASKS = st.builds(
    lambda ask, need, way: {
        "approval": {"ask": ask, "approvers": ["role:admin"], "need": need, **way}
    },
    TEXTS,
    st.integers(1, 3),
    st.sampled_from(
        [
            {},
            {"on_timeout": "fail", "four_eyes": False},
            {"on_timeout": "escalate", "escalate_to": ["role:admin"], "expires": "1h"},
        ]
    ),
)
WAITS = st.builds(
    lambda wait, until: _given({"wait": wait, "until": until}),
    SPANS,
    st.sampled_from([None, "${{ incident.severity == 'low' }}"]),
)
CHILDREN = st.builds(
    lambda name, given: {"playbook": name, "with": given},
    st.sampled_from(["other", "third-one"]),
    st.dictionaries(NAMES, JSONS, max_size=2),
)
LEAVES = NOTES | LIMITS | BREAKS | GONE | ASKS | WAITS | CHILDREN


def _dressed(steps: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda step, title, when, timeout, failing: (
            step | _given({"title": title, "when": when, "timeout": timeout, "on_failure": failing})
        ),
        steps,
        st.none() | TEXTS,
        WHENS,
        st.none() | SPANS,
        HANDLING,
    )


def _nested(steps: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    few = st.lists(steps, min_size=1, max_size=3)
    held = st.builds(lambda inner: {"do": inner}, few) | st.builds(
        lambda branches: {"parallel": branches}, st.lists(few, min_size=2, max_size=3)
    )
    handled = st.builds(
        lambda step, failing: {**step, "on_failure": failing}, steps, st.just([]) | few
    )
    return _dressed(held) | handled


STEPS = st.lists(st.recursive(_dressed(LEAVES), _nested, max_leaves=8), min_size=1, max_size=4)
INPUTS = st.dictionaries(
    NAMES,
    st.builds(
        lambda kind, about, default, one_of: _given(
            {"type": kind, "about": about, "default": default, "one_of": one_of, "min": 0.5}
        ),
        st.sampled_from(["string", "int", "float", "bool", "wallet", "list", "map", "duration"]),
        TEXTS,
        JSONS,
        st.none() | st.lists(JSONS, max_size=2),
    ),
    max_size=3,
)
TRIGGERS = st.sampled_from(
    [
        {"manual": ["role:responder"]},
        {"incident": {"rules": ["qf-sybil"], "severity": ["high"], "when": "${{ true }}"}},
        {"schedule": {"cron": "0 9 * * 1-5", "tz": "Europe/Berlin"}},
    ]
)


def _numbered(steps: list[dict[str, Any]], numbers: Iterator[int]) -> list[dict[str, Any]]:
    """Return *steps* with ids that differ; some have their id as title too."""
    made = []
    for step in steps:
        number = next(numbers)
        own = {**step, "id": f"s{number}"}
        if own.get("title") == "" and number % 2:
            own["title"] = own["id"]
        if "do" in own:
            own["do"] = _numbered(own["do"], numbers)
        if "parallel" in own:
            own["parallel"] = [_numbered(branch, numbers) for branch in own["parallel"]]
        if isinstance(own.get("on_failure"), list):
            own["on_failure"] = _numbered(own["on_failure"], numbers)
        made.append(own)
    return made


@st.composite
def books(draw: st.DrawFn) -> Playbook:
    """Return a playbook that a person could have written."""
    numbers = iter(range(10_000))
    steps = _numbered(draw(STEPS), numbers)
    head = {
        "playbook": draw(st.sampled_from(["one", "another-one"])),
        "title": draw(TEXTS),
        "description": draw(TEXTS),
        "version": draw(st.integers(1, 100)),
        "created": draw(st.dates()).isoformat(),
        "reviewed": draw(st.dates()).isoformat(),
        "references": draw(st.lists(st.just("https://example.org/x") | TEXTS, max_size=2)),
        "labels": draw(st.lists(TEXTS, max_size=2)),
        "on": draw(TRIGGERS),
        "inputs": draw(INPUTS),
        "secrets": draw(st.sampled_from([[], ["TOKEN"], ["Z", "A"]])),
        "outputs": draw(st.dictionaries(NAMES, JSONS, max_size=2)),
        "on_failure": _numbered(draw(st.just([]) | STEPS), numbers),
        "mode": draw(st.sampled_from(["live", "dry_run"])),
        "timeout": draw(SPANS),
    }
    author = draw(st.sampled_from([None, "user:alice"]))
    once = draw(st.sampled_from([None, "${{ incident.id }}"]))
    return playbook(steps, **head, **_given({"author": author, "once_per": once}))
