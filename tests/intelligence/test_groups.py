"""Commands tell of groups, tastes and what goes together, with the numbers behind it."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from soc.cli.main import app
from soc.intelligence.view import keep
from tests import stores
from tests.intelligence.gifts import wallet
from tests.intelligence.people import people

AFTER = "2026-11-26T12:00:00Z"
FLAT = ("suspicious_ratio", "rare_project_share")
USERS = 60


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation with a view of two days of gifts, and two suspected wallets."""
    made = stores.home(tmp_path_factory.mktemp("groups") / "home").path
    view = people(USERS)
    marks = view.marks.from_pylist(
        [
            {
                "wallet": wallet(n),
                "first": AT,
                "last": AT,
                "known": AT,
                "cleared": None,
                "confirmed": None,
            }
            for n in (3, 4)
        ],
        view.marks.schema,
    )
    tables = {
        "users": view.users,
        "transactions": view.transactions,
        "refused": view.refused,
        "marks": marks,
        **view.gathered._asdict(),
    }
    facts = {"made": AFTER, "upto": {}, "events": 0, "refused": {}, "code": "0"}
    keep.put(made / "intelligence" / "view", tables, facts)
    return made


AT = people(USERS).transactions["made"][0].as_py()


def run(home: Path, *words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["intelligence", *words, "--home", str(home), "--as-of", AFTER])
    assert done.exit_code == code, done.output
    return done.output


def told(home: Path, *words: str) -> Any:
    return json.loads(run(home, *words, "--json"))


def test_clusters_say_what_was_found_and_what_was_left_out(filled: Path, tmp_path: Path) -> None:
    out = tmp_path / "members.csv"
    words = ["clusters", "--above", "40", "--without", "rare_project_share", "--out", str(out)]
    found = told(filled, *words)

    assert found["found"] == (not found["verdict"].startswith("no clusters: silhouette"))
    assert found["left_out"]["total_amount"] == "groups are asked about amounts"
    assert not {"total_amount", "avg_amount", "suspicious_ratio"} & set(found["features"])
    assert {one["feature"] for one in found["filled"]} >= {"gap_median"}
    assert [one["k"] for one in found["curve"]] == list(range(2, 9))
    assert [one["draws"] for one in found["nulls"]] == [50, 50]
    assert sum(found["explained"]) == pytest.approx(1)
    assert len(out.read_text().splitlines()) == USERS + 1


def test_clusters_are_told_to_people(filled: Path) -> None:
    lines = run(filled, "clusters", "--without", "rare_project_share", "--scale", "standard")

    assert "clusters: silhouette" in lines
    assert "independent columns, 50 draws: 95 % are below" in lines
    assert "left out: suspicious_ratio, groups are asked about suspicion" in lines


def test_recommend_grades_or_suggests(filled: Path) -> None:
    graded = told(filled, "recommend")
    shown = run(filled, "recommend")
    made = told(filled, "recommend", "--wallet", wallet(1), "-n", "3")

    assert graded["graded"][0]["group"] == "all wallets"
    assert "without suspected wallets" in {one["group"] for one in graded["graded"]}
    assert {"low", "high", "value"} == set(graded["graded"][0]["differences"]["hr@10"])
    assert "60 donors, 2 of them suspected, 12 projects" in shown
    assert "all wallets, near-duplicates: " in shown
    assert " donors, too few for figures" in shown
    assert len(made["suggestions"]) == 3
    assert not {one["project"] for one in made["suggestions"]} & set(made["given"])
    assert made["left_out"] == 2
    assert "popularity: this wallet gave to no project" in run(
        filled, "recommend", "--wallet", wallet(999)
    )


def test_associations_stand_beside_those_of_shuffled_carts(filled: Path) -> None:
    found = told(filled, "associations")
    bare = told(filled, "associations", "--pairs-only")

    assert (found["donors"], found["projects"], found["possible"]) == (USERS, 12, 66)
    assert found["pairs"] == [] == found["rules"]["rules"]
    assert found["naive"] > 0 < found["shuffled"]["rules_without_gate"]
    assert found["shuffled"]["pairs"] == found["shuffled"]["rules"] == 0
    assert "rules" not in bare
    assert "0 pairs of 66 stand out" in run(filled, "associations", "--search", "apriori")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["clusters", "--scale", "log"], "write one of robust, standard", id="scale"),
        pytest.param(["clusters", "--above", "-3"], "write an amount above 0", id="above"),
        pytest.param(["clusters"], "--without rare_project_share", id="constant"),
        pytest.param(
            ["associations", "--search", "a"], "write one of apriori, fp-growth", id="search"
        ),
        pytest.param(["associations", "--support", "3"], "write a share above 0", id="support"),
        pytest.param(["recommend", "--wallet", "me"], "write an address", id="wallet"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_write(
    filled: Path, words: list[str], said: str
) -> None:
    done = CliRunner().invoke(
        app, ["intelligence", *words, "--home", str(filled), "--as-of", AFTER]
    )

    assert done.exit_code
    assert said in done.output + str(done.exception)
