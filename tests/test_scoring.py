"""``soc anomaly score``: a row for each row, and no answer at all where the input is not whole."""

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from soc.cli import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def score(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Run:
    """Run the command; return its exit code, stdout and stderr."""

    def score(file: Path, *words: str, profile: str = "lesinn") -> tuple[int, str, str]:
        options = ["--profile", profile, "--input", str(file), "--out", str(tmp_path / "out.csv")]
        monkeypatch.setattr(sys, "argv", ["soc", "anomaly", "score", *options, *words])
        try:
            main.run()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        return code, *capsys.readouterr()

    return score


def numbers(many: int = 60) -> np.ndarray:
    made = np.random.default_rng(8).normal(size=(many, 2)).round(3) + 10
    made[7] = [500.0, -300.0]
    return made


def sheet(path: Path, rows: np.ndarray, *more: tuple[str, list[object]]) -> Path:
    names, columns = [name for name, _ in more], [values for _, values in more]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*names, "gifts", "amount"])
        writer.writerows([*(c[i] for c in columns), *row] for i, row in enumerate(rows))
    return path


def written(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("profile", ["tabular-contaminated", "onchain-skewed", "clean-baseline"])
def test_each_row_gets_a_score_and_the_strange_one_its_reasons(
    score: Run, tmp_path: Path, profile: str
) -> None:
    code, out, err = score(sheet(tmp_path / "in.csv", numbers()), profile=profile)

    found = written(tmp_path / "out.csv")
    assert (code, err) == (0, "")
    assert (
        out == f"{tmp_path / 'out.csv'}: 60 rows scored by {profile}, which learned from 60 of 60\n"
    )
    assert [row["row"] for row in found] == [str(n) for n in range(60)]
    assert max(found, key=lambda row: float(row["score"]))["row"] == "7"
    assert "amount: -300; usual is" in found[7]["reasons"]


def test_an_array_is_scored_like_the_same_sheet(score: Run, tmp_path: Path) -> None:
    np.savez(tmp_path / "in.npz", X=numbers(), columns=np.array(["gifts", "amount"]))

    score(sheet(tmp_path / "in.csv", numbers()))
    by_sheet = (tmp_path / "out.csv").read_bytes()
    code, _, _ = score(tmp_path / "in.npz")

    assert code == 0
    assert (tmp_path / "out.csv").read_bytes() == by_sheet


def test_labels_measure_and_change_nothing(score: Run, tmp_path: Path) -> None:
    labels = [int(n == 7) if n % 2 else "" for n in range(60)]
    plain, labelled = (
        sheet(tmp_path / "a.csv", numbers()),
        sheet(tmp_path / "b.csv", numbers(), ("bad", labels)),
    )

    score(plain)
    before = (tmp_path / "out.csv").read_bytes()
    code, out, _ = score(labelled, "--labels", "bad")

    metrics = json.loads(out)["metrics"]
    assert code == 0
    assert (tmp_path / "out.csv").read_bytes() == before
    assert {key: metrics[key] for key in ("ap", "auc", "n", "strange")} == {
        "ap": 1.0,
        "auc": 1.0,
        "n": 30,
        "strange": 1,
    }
    assert metrics["members"] == {"lesinn": {"ap": 1.0, "auc": 1.0}}


def test_too_few_verdicts_say_how_many_are_needed(score: Run, tmp_path: Path) -> None:
    said = [n % 2 if n < 12 else "" for n in range(60)]

    code, out, err = score(
        sheet(tmp_path / "in.csv", numbers(), ("said", said)), "--verdicts", "said"
    )

    assert code == 0
    assert "12 of 20 verdicts" in err
    assert json.loads(out)["verdicts"]["needed"] == 20


def test_enough_verdicts_choose_weights(score: Run, tmp_path: Path) -> None:
    rows = numbers(200)
    rows[100:120, 0] += 1e4
    said = [int(100 <= n < 120) for n in range(200)]

    code, out, _ = score(
        sheet(tmp_path / "in.csv", rows, ("said", said)),
        "--verdicts",
        "said",
        profile="onchain-skewed",
    )

    told = json.loads(out)
    assert code == 0
    assert told["verdicts"]["verdicts"] == 200
    assert (told["verdicts"]["chosen"] is None) == (
        told["verdicts"]["after"] <= told["verdicts"]["before"]
    )
    assert sum(told["weights"].values()) == pytest.approx(2)


def test_another_window_is_learned_from_and_drift_is_told(score: Run, tmp_path: Path) -> None:
    np.savez(tmp_path / "past.npz", X=np.random.default_rng(1).normal([10, 40], size=(300, 2)), columns=np.array(["amount", "gifts"]))  # fmt: skip

    code, out, err = score(
        sheet(tmp_path / "in.csv", numbers()), "--reference", str(tmp_path / "past.npz"), "--json"
    )

    told = {one["column"]: one for one in json.loads(out)["drift"]}
    assert code == 0
    assert (told["amount"]["level"], told["gifts"]["level"]) == ("none", "much")
    assert (told["gifts"]["rows"], told["gifts"]["reference"]) == (60, 300)
    assert err.startswith("gifts has moved (much)")


def test_one_row_can_be_scored_by_a_reference(score: Run, tmp_path: Path) -> None:
    past = sheet(tmp_path / "past.csv", numbers())

    code, _, _ = score(sheet(tmp_path / "in.csv", numbers()[7:8]), "--reference", str(past))

    assert code == 0
    assert [row["row"] for row in written(tmp_path / "out.csv")] == ["0"]


HEAD = "gifts,amount\n"
FINE = "".join(f"{n % 7},{n}\n" for n in range(40))
WRONG = [
    pytest.param("", ":1: empty: write a line", id="empty"),
    pytest.param(HEAD, ":1: there are no rows", id="head alone"),
    pytest.param(HEAD + "1,2\n", ":1: 1 rows to learn from: at least 30", id="one row"),
    pytest.param(HEAD + FINE + "x,3\n", ":42: gifts: 'x' is no number", id="word"),
    pytest.param(HEAD + FINE + ",3\n", ":42: gifts: nothing there", id="hole"),
    pytest.param(HEAD + FINE + "\n3,nan\n", ":43: amount: 'nan' is no number", id="nan"),
    pytest.param(HEAD + FINE + "3,-inf\n", ":42: amount: '-inf' is no number", id="infinite"),
    pytest.param(HEAD + FINE + "3,1e200\n", ":42: amount: 1e+200: leave the row out", id="too large"),
    pytest.param(HEAD + FINE + "3\n", ":42: 1 cells under 2 columns", id="short row"),
    pytest.param(HEAD + '"3,1\n', ":2: not CSV", id="open quote"),
    pytest.param("a,a\n" + FINE, ":1: each column needs a name of its own: a", id="same names"),
    pytest.param("1,2\n" + FINE, ":1: numbers: write a line with the names", id="no head"),
    pytest.param("still," + HEAD + "".join(f"4,{line}\n" for line in FINE.split()), ":1: 1 of 3 columns are the same in all 40 rows (still = 4)", id="constant"),
    pytest.param("id," + HEAD + "".join(f"{n % 39},{line}\n" for n, line in enumerate(FINE.split())), ":41: id '0' is that of line 2 too", id="doubled id"),
    pytest.param("id\n1\n2\n", ":1: there is no column of numbers", id="ids alone"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_a_sheet_with_a_mistake_is_refused_whole(
    score: Run, tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "in.csv"
    file.write_text(text)

    code, out, err = score(file)

    assert (code, out) == (2, "")
    assert f"{file}{said}" in err
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([0] * 60, "0 are 1 (strange) and 60 are 0"),
        ([1] * 60, "60 are 1 (strange) and 0 are 0"),
        ([""] * 60, "0 are 1 (strange) and 0 are 0"),
        (["odd", *[0] * 59], "in.csv:2: bad: 'odd': write 1"),
        ([2, *[0] * 59], "in.csv:2: bad: '2': write 1"),
    ],
    ids=["all usual", "all strange", "nothing said", "word", "two"],
)
def test_labels_that_measure_nothing_are_refused(
    score: Run, tmp_path: Path, labels: list[object], said: str
) -> None:
    file = sheet(tmp_path / "in.csv", numbers(), ("bad", labels))

    code, out, err = score(file, "--labels", "bad")

    assert (code, out) == (2, "")
    assert said in err
    assert not (tmp_path / "out.csv").exists()


class Trap:
    """Says so if it is ever unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("unpickled",)


ARRAYS = [
    pytest.param({"Y": numbers()}, ":1: there is no array X, but Y", id="no X"),
    pytest.param({"X": numbers()[:, 0]}, ":1: X is float64 of shape (60,)", id="one dimension"),
    pytest.param({"X": numbers().astype(str)}, ":1: X is <U", id="text"),
    pytest.param({"X": np.array([[Trap()]], dtype=object)}, ":1: no .npz of plain arrays", id="objects"),
    pytest.param({"X": np.where(numbers() > 400, np.nan, numbers())}, ":8: x0: nan: leave the row out", id="nan"),
    pytest.param({"X": numbers(), "id": np.zeros(60)}, ":1: id holds 1 different ids for 60 rows", id="doubled ids"),
    pytest.param({"X": numbers(), "columns": np.array(["a", "a"])}, ":1: columns holds 1 names", id="same names"),
]  # fmt: skip


@pytest.mark.parametrize(("arrays", "said"), ARRAYS)
def test_an_archive_with_a_mistake_is_refused_whole(
    score: Run, tmp_path: Path, arrays: dict[str, np.ndarray], said: str
) -> None:
    file = tmp_path / "in.npz"
    np.savez(file, **arrays)

    code, out, err = score(file)

    assert (code, out) == (2, "")
    assert f"{file}{said}" in err


@pytest.mark.parametrize("labels", [np.full(60, 3), np.zeros(5)], ids=["three", "too few"])
def test_labels_of_an_archive_are_held_to_the_same(
    score: Run, tmp_path: Path, labels: np.ndarray
) -> None:
    np.savez(tmp_path / "in.npz", X=numbers(), y=labels)

    code, _, err = score(tmp_path / "in.npz", "--labels", "y")

    assert code == 2
    assert "write 1 (strange)" in err or "write 60 numbers" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--profile", "onchain"], "there is no profile onchain"),
        (["--labels", "none"], "there is no column none of labels"),
        (["--out", "IN"], "is what is read: name another file"),
        (["--reference", "OTHER"], "columns are missing that the other file has: amount"),
    ],
    ids=["profile", "labels", "overwriting", "columns"],
)
def test_options_that_fit_nothing_are_refused(
    score: Run, tmp_path: Path, words: list[str], said: str
) -> None:
    file = sheet(tmp_path / "in.csv", numbers())
    other = tmp_path / "other.csv"
    other.write_text("gifts\n" + "".join(f"{n}\n" for n in range(40)))
    named = {"IN": str(file), "OTHER": str(other)}

    code, out, err = score(file, *(named.get(word, word) for word in words))

    assert (code, out) == (2, "")
    assert said in err


def test_an_archive_that_is_none_is_refused(score: Run, tmp_path: Path) -> None:
    (tmp_path / "in.npz").write_bytes(b"PK\x03\x04 no more")

    code, _, err = score(tmp_path / "in.npz")

    assert code == 2
    assert "in.npz:1: no .npz of plain arrays" in err


def test_profiles_are_listed_with_their_members(
    score: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["soc", "anomaly", "profiles", "--json"])

    main.app(standalone_mode=False)

    listed = {row["name"]: row["members"] for row in json.loads(capsys.readouterr().out)}
    assert listed["tabular-contaminated"] == "lesinn, isolation-forest"
    assert listed["one-class-svm"] == "one-class-svm"
