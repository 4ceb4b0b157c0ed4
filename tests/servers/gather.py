"""Bring what the servers of tests are made of onto this machine; say what cannot be had.

Run before the tests, which have a time limit: ``python -m tests.servers.gather [NAME …]``.
"""

import sys
from collections.abc import Callable

from tests.servers import axe, machine, nginx, opensearch_parts, postgres, shippers
from tests.servers.machine import Unobtainable

EVERY: dict[str, Callable[[], object]] = {
    "axe": axe.script,
    "chromium": lambda: machine.command("chromium", "chromium"),
    "nginx": nginx.gather,
    "opensearch": opensearch_parts.gather,
    "postgres": postgres.gather,
    "shippers": shippers.gather,
}


def main() -> None:
    for name in sys.argv[1:] or sorted(EVERY):
        try:
            EVERY[name]()
        except Unobtainable as missing:
            print(f"{name}: {missing}", file=sys.stderr)


if __name__ == "__main__":
    main()
