"""Run ``soc`` commands, each in a forked process, so that heavy imports are paid for once.

Reads ``{"folder", "words", "path"}`` a line from standard input, answers ``{"code", "said"}`` a line.
"""

import gc
import importlib
import json
import os
import sys
import tempfile

from sqlalchemy.orm import configure_mappers

from soc import plugins
from soc.cli.main import run

HEAVY = (
    "alembic.command",
    "pandas",  # pyarrow imports it when it first computes
    "passlib.handlers.argon2",
    "soc.app.now",
    "soc.app.exchange",
    "soc.app.planning",
    "soc.app.reporting",
    "soc.app.switching",
    "soc.app.taking",
    "soc.app.testing",
    "soc.logs.query",
    "soc.respond.engine",
    "soc.watch.tick",
    "soc.web.views",
)


def play(folder: str, words: list[str], path: list[str]) -> dict[str, object]:
    """Return how the command ended and what it said, run in *folder*."""
    with tempfile.TemporaryFile() as said:
        child = os.fork()
        if child == 0:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
            os.chdir(folder)
            sys.path[:0] = path
            sys.argv = ["soc", *words]
            os._exit(code_of())
        _, status = os.waitpid(child, 0)
        said.seek(0)
        return {"code": os.waitstatus_to_exitcode(status), "said": said.read().decode()}


def code_of() -> int:
    """Run the command that ``sys.argv`` holds; return its exit code."""
    code: object = 70
    try:
        run()
        code = 0
    except SystemExit as ended:
        code = ended.code or 0
    except BaseException as broken:  # noqa: BLE001 - shown, as an interpreter does
        sys.excepthook(type(broken), broken, broken.__traceback__)
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else 1


for name in HEAVY:
    importlib.import_module(name)
configure_mappers()
for group in ("soc.actions", "soc.detectors", "soc.parsers"):
    plugins.load(group)
gc.freeze()
for line in sys.stdin:
    print(json.dumps(play(**json.loads(line))), flush=True)
