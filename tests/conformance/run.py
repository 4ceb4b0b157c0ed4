"""Run the conformance vectors on an engine: ``python tests/conformance/run.py [COMMAND …]``.

COMMAND reads rules from the file ``{rules}`` and events, one JSON object a line, from ``{events}``.
It prints one JSON object a line for each hit, with ``rule_id`` and ``line``: the number of the event
that matched, or with which a window of a correlation was complete. Without a command ``soc scan`` is
run. Each vector is one run. Prints what differs, and ends with 1 if anything does; vectors about
what the specification leaves open are told apart, and with ``--specified`` left out.

A rule that must be refused must give no hits; how an engine tells so is its own affair.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import orjson

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.conformance.vectors import Hit, Vector, read

SOC = str(Path(sys.executable).with_name("soc"))
OURS = (SOC, "scan", "--pipeline", "none", "--rules", "{rules}", "{events}")
LONGEST = 60
"""Seconds that one vector may take."""


def hits_of(vector: Vector, command: list[str]) -> frozenset[Hit]:
    """Return what *command* hits; raises CalledProcessError, TimeoutExpired or ValueError."""
    with tempfile.TemporaryDirectory() as folder:
        rules, events = vector.write(Path(folder))
        filled = [part.format(rules=rules, events=events) for part in command]
        done = subprocess.run(
            filled, capture_output=True, timeout=LONGEST, check=not vector.refused
        )
    found = (orjson.loads(line) for line in done.stdout.splitlines() if line.strip())
    return frozenset((vector.name_of(one["rule_id"]), int(one["line"])) for one in found)


def difference(vector: Vector, command: list[str]) -> str:
    """Return in words what is not as it must be; nothing if all is."""
    try:
        found = hits_of(vector, command)
    except subprocess.CalledProcessError as failed:
        return f"ended with {failed.returncode}: {failed.stderr.decode(errors='replace')[-200:]}"
    except (subprocess.TimeoutExpired, ValueError, KeyError, StopIteration) as wrong:
        return f"{type(wrong).__name__}: {wrong}"
    if vector.refused:
        found = frozenset(hit for hit in found if hit[0] == "it")
    if found == vector.hits:
        return ""
    return f"hits {sorted(found)}, must hit {sorted(vector.hits)}"


def main() -> int:
    """Run all vectors, print what differs and how many do."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--specified", action="store_true", help="only what is specified")
    parser.add_argument("--only", default="", help="vectors whose id holds this text")
    parser.add_argument("command", nargs="*", default=OURS)
    given = parser.parse_args()
    wanted = [
        one for one in read() if given.only in one.id and not (given.specified and one.beyond)
    ]
    failed = 0
    for vector in wanted:
        if why := difference(vector, list(given.command)):
            failed += 1
            open_ = " (left open)" if vector.beyond else ""
            print(f"{vector.id}{open_}: {vector.section}: {vector.says}\n    {why}")
    print(f"{len(wanted) - failed} of {len(wanted)} vectors as they must be")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
