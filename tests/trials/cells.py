"""Run the code cells of a notebook in order, as a kernel would; print what their last lines say."""

import ast
import json
import sys
from pathlib import Path


def run(notebook: Path) -> None:
    """Run *notebook*; whatever a cell raises ends the process."""
    space: dict[str, object] = {"__name__": "__main__"}
    for cell in json.loads(notebook.read_text())["cells"]:
        if cell["cell_type"] != "code":
            continue
        tree = ast.parse("".join(cell["source"]), cell["id"])
        shown = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, cell["id"], "exec"), space)
        if isinstance(shown, ast.Expr):
            said = eval(compile(ast.Expression(shown.value), cell["id"], "eval"), space)
            print("" if said is None else said)


if __name__ == "__main__":
    run(Path(sys.argv[1]))
