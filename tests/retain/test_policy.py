"""The policy of retention, and every way in which one can contradict itself."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from soc.content.folders import packaged
from soc.errors import ContentError
from soc.model.event import Row
from soc.retain.classify import Classifier
from soc.retain.load import read_policy
from soc.retain.policy import SENTENCES, Policy, Sentence

QF = packaged("retention") / "qf.yml"
TEXT = QF.read_text()
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def policy() -> Policy:
    return read_policy(QF)


@pytest.mark.parametrize(
    ("sentence", "name", "least", "most", "archive"),
    [
        ("P01", "onchain-tx", None, None, None),
        ("P02", "onchain-state", None, None, None),
        ("P03", "onchain-events", None, None, None),
        ("P04", "ret-user", None, None, None),
        ("P05", "ret-tx", 730, 761, 365),
        ("P06", "ret-audit", 365, 396, None),
        ("P07", "ret-tx", 730, 761, 365),
        ("P08", "ret-scores", 90, 92, None),
        ("P09", "ret-tx", 730, 761, 365),
        ("P10", "ret-tx", 730, 761, 365),
        ("P11", "ret-tx", 730, 761, 365),
        ("P12", "ret-index", 730, 761, None),
        ("P13", "ret-user", None, None, None),
        ("P14", "ret-debug", 30, 32, None),
        ("P15", "ret-failed", 180, 182, None),
    ],
)
def test_every_sentence_has_its_class(
    policy: Policy,
    sentence: str,
    name: str,
    least: int | None,
    most: int | None,
    archive: int | None,
) -> None:
    found = policy.covering(Sentence(sentence))

    spans = (found.keep_at_least, found.delete_no_later_than, found.archive_after)
    assert found.id == name
    assert tuple(span and span.days for span in spans) == (least, most, archive)
    assert SENTENCES[Sentence(sentence)]


def test_what_is_permanent_has_no_end_and_what_waits_for_people_has_no_date(policy: Policy) -> None:
    assert all(policy.covering(Sentence(s)).external_permanent for s in ("P01", "P02", "P03"))
    assert policy.covering(Sentence.P13).keep_until == "erasure_request"


@pytest.mark.parametrize(
    ("old", "new", "line_of", "words"),
    [
        ("covers: [P08]", "covers: []", "classes:", "POL-00: no class covers P08"),
        (
            "covers: [P08]",
            "covers: [P08, P14]",
            "covers: [P08, P14]",
            "POL-00: P14 is covered 2 times",
        ),
        ("id: ret-index", "id: ret-tx", "id: ret-tx", "POL-00: class ret-tx is here twice"),
        ("id: rejects", "id: rejected", "classes:", "POL-00: no class 'rejects'"),
        (
            "archive_after: 365d",
            "archive_after: 730d",
            "archive_after",
            "POL-01: ret-tx: archive before",
        ),
        (
            "delete_no_later_than: 32d",
            "delete_no_later_than: 31d",
            "delete_no_later_than: 31d",
            "POL-02: ret-debug",
        ),
        (
            "delete_no_later_than: 92d",
            "delete_no_later_than: 80d",
            "delete_no_later_than: 80d",
            "POL-02: ret-scores",
        ),
        ("archive_every: 31d", "archive_every: 400d", "archive_after", "POL-03: ret-tx"),
        (
            "selects: [{}]",
            "selects: [{actions: [x]}]",
            "classes:",
            "POL-04: the last class that selects",
        ),
        (
            "      - where: {log.level: [debug, trace, verbose]}",
            "      - {}",
            "- datasets: [chain.transfer",
            "POL-04: ret-failed: ret-debug before it",
        ),
        (
            "archive_after: 365d",
            "archive_after: 150d",
            "id: ret-failed",
            "POL-04: ret-failed: failed",
        ),
        ("review_every: 730d", "reason_for: x", "reason_for: x", "unknown key 'reason_for'"),
        ("    review_every: 730d\n", "", "keep_until", "POL-05: ret-user"),
        ("    delete_no_later_than: 92d\n", "", "id: ret-scores", "POL-02: write both"),
        (
            "    keep_until: erasure_request\n",
            "    keep_until: erasure_request\n    external_permanent: true\n",
            "id: ret-user",
            "write one",
        ),
    ],
    ids=lambda value: None if len(str(value)) > 40 else str(value),
)
def test_a_contradiction_is_refused_with_code_and_line(
    tmp_path: Path, old: str, new: str, line_of: str, words: str
) -> None:
    assert old in TEXT
    path = tmp_path / "qf.yml"
    path.write_text(changed := TEXT.replace(old, new, 1))

    with pytest.raises(ContentError) as wrong:
        read_policy(path)

    lines = [n for n, line in enumerate(changed.splitlines(), 1) if line_of in line]
    assert any(p.line in lines and words in p.message for p in wrong.value.problems), str(
        wrong.value
    )


@pytest.mark.parametrize("sentence", sorted(Sentence))
def test_removing_any_class_with_a_sentence_fails_the_load(
    policy: Policy, tmp_path: Path, sentence: Sentence
) -> None:
    name = policy.covering(sentence).id
    head, *blocks = TEXT.split("\n  - id: ")
    kept = [block for block in blocks if not block.startswith(f"{name}\n")]
    (tmp_path / "qf.yml").write_text("\n  - id: ".join([head, *kept]) + "\n")

    with pytest.raises(ContentError, match=f"no class covers {sentence}"):
        read_policy(tmp_path / "qf.yml")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        pytest.param({"dataset": "chain.transfer"}, "ret-tx", id="transfer"),
        pytest.param({"dataset": "funding.donation", "outcome": "success"}, "ret-tx", id="gift"),
        pytest.param({"dataset": "chain.anything"}, "ret-tx", id="other chain data"),
        pytest.param(
            {"dataset": "chain.transfer", "outcome": "failure"}, "ret-failed", id="failed"
        ),
        pytest.param(
            {"dataset": "chain.transfer", "raw": '{"chain":{"finality":"removed"}}'},
            "ret-failed",
            id="reorganised away",
        ),
        pytest.param({"dataset": "platform.auth", "action": "login"}, "ret-audit", id="log-in"),
        pytest.param({"dataset": "soc.access"}, "ret-audit", id="log-in here"),
        pytest.param({"dataset": "other", "action": "login"}, "ret-audit", id="log-in elsewhere"),
        pytest.param(
            {"dataset": "platform.access", "raw": '{"http":{"response":{"status_code":429}}}'},
            "ret-audit",
            id="limited request",
        ),
        pytest.param(
            {"dataset": "platform.access", "raw": '{"http.response.status_code":200}'},
            "default",
            id="request",
        ),
        pytest.param(
            {"dataset": "shop", "raw": '{"log":{"level":"DEBUG"}}'}, "ret-debug", id="debug"
        ),
        pytest.param(
            {"dataset": "chain.block", "raw": '{"log.level":"trace"}'}, "ret-debug", id="trace"
        ),
        pytest.param({"dataset": "shop", "raw": '{"log":{"level":"info"}}'}, "default", id="info"),
        pytest.param(
            {"dataset": "shop", "raw": '{"note":"level\\""}'}, "default", id="only a word"
        ),
        pytest.param({"dataset": "model.score"}, "ret-scores", id="score"),
        pytest.param({"dataset": "funding.user"}, "ret-user", id="user"),
        pytest.param({"dataset": "funding.project"}, "ret-user", id="who registers"),
        pytest.param({}, "default", id="nothing known"),
    ],
)
def test_every_event_has_exactly_one_class(
    policy: Policy, row: dict[str, str], expected: str
) -> None:
    event = Row(**{"ts": NOW, "raw": "{}", "parser": "ecs", **row})

    assert Classifier(policy)(event) == expected
