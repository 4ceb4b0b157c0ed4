"""Run ``soc`` commands, each in a forked process, so that heavy imports are paid for once.

Reads ``{"words", "path"}`` a line from standard input, answers ``{"code", "said"}`` a line.
"""

import json
import os
import sys
import tempfile

import soc.app.now
import soc.app.reporting
import soc.app.taking
import soc.app.testing
import soc.web.views  # noqa: F401 - like those above, imported to be there after the fork
from soc.cli.main import run


def play(words: list[str], path: list[str]) -> dict[str, object]:
    """Return how the command ended and what it said."""
    with tempfile.TemporaryFile() as said:
        child = os.fork()
        if child == 0:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
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
    except BaseException as broken:  # what is not foreseen is shown, as an interpreter does
        sys.excepthook(type(broken), broken, broken.__traceback__)
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else 1


for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps(play(asked["words"], asked["path"])), flush=True)
