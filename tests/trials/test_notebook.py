"""The notebook runs from its first cell to its last, and says only what it computed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from soc.app.suite import Suite
from tests.intelligence.test_learning import shown

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "notebooks" / "quadratic_funding.ipynb"
CELLS = Path(__file__).with_name("cells.py")


@pytest.mark.trial
@pytest.mark.timeout(400)
def test_every_cell_runs_and_the_conclusions_are_those_of_the_data(home: Path) -> None:
    suite = Suite(home)
    shown(suite)
    suite.database.dispose()
    environ = {**os.environ, "SOC_HOME": str(home), "NOTEBOOK_WINDOW": "6h", "MPLBACKEND": "Agg"}
    ran = subprocess.run(
        [sys.executable, str(CELLS), str(NOTEBOOK)],
        cwd=ROOT,
        env={**environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr[-2_000:]
    for said in (
        "561 transactions",
        "total_amount foretells the target by itself, AUC 1.000",
        "leaks: none found",
        "after shuffling",
        "power of 163 an arm",
        "thompson(1,19)",
        "clusters",
        "above popularity",
        "Nothing above was typed",
    ):
        assert said in ran.stdout
    for model in ("lasso", "ridge", "svm", "knn", "mlp", "random-forest", "xgboost"):
        assert f"{model} above" in ran.stdout


def test_the_notebook_is_kept_without_outputs() -> None:
    cells = json.loads(NOTEBOOK.read_text())["cells"]

    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
    assert len({cell["id"] for cell in cells}) == len(cells)
