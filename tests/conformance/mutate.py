"""Plant faults into copies of the engine and the plain evaluator: each must fail a vector.

``python tests/conformance/mutate.py [TEXT]`` plants those whose name holds TEXT, by default all.
Each fault is a replacement of text that occurs exactly once in one file. It is tried by a fresh
process that imports the copy. Prints a table; ends with 1 if a fault goes unnoticed.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
SIGMA = Path("soc/detect/sigma")
LONGEST = 300
"""Seconds that one fault may take."""


class Fault(NamedTuple):
    """What is wrong, in which file, and the text that makes it so."""

    name: str
    file: str
    old: str
    new: str


FAULTS = (
    Fault("case: of ASCII only", "../../model/text.py", "text.casefold()", "text"),
    Fault("case: cased ignores it", "values.py", "cased = isinstance(value, SigmaCasedString)", "cased = False"),
    Fault("case: of patterns counts", "values.py", "{'' if cased else 'i'}", ""),
    Fault("case: full folding", "../../model/text.py", "return folded if len(folded) == len(text) else", "return folded if folded else"),
    Fault("wildcard: ends at a line", "values.py", 'rf"(?s{', 'rf"(?{'),
    Fault("wildcard: ? may be nothing", "values.py", 'ONE: "."', 'ONE: ".?"'),
    Fault("wildcard: not the whole text", "values.py", '\\z", at)', '", at)'),
    Fault("wildcard: sign of expressions", "values.py", "else re2.escape(part) for part", "else part for part"),
    Fault("null: the empty text is null", "event.py", "is_null=not flat or None in flat)", "is_null=not flat or None in flat or '' in flat)"),
    Fault("null: only what is missing", "event.py", "is_null=not flat or None in flat)", "is_null=not flat)"),
    Fault("exists: null is not there", "event.py", "exists=bool(values)", "exists=any(value is not None for value in values)"),
    Fault("missing: not is false", "condition.py", "return not self.part.holds(event)", 'return bool(event.document.keys() >= {"f"}) and not self.part.holds(event)'),
    Fault("missing: the engine's not", "engine/tree.py", "return None if found is None else not found", "return found"),
    Fault("array: only the first", "condition.py", "        for value in event.scalars(self.field):\n            for predicate", "        for value in event.scalars(self.field)[:1]:\n            for predicate"),
    Fault("array: only the engine's first", "engine/column.py", "for scalar in found.scalars:", "for scalar in found.scalars[:1]:"),
    Fault("array: not nested", "event.py", "waiting.extend(reversed(value))\n        else:\n            yield value", "yield from value\n        else:\n            yield value"),
    Fault("keys: case counts", "event.py", "    return fold(name)", "    return name"),
    Fault("keys: the last spelling wins", "event.py", "keys.setdefault(key_of(name), []).append(value)", "keys[key_of(name)] = [value]"),
    Fault("keys: a dot is no path", "event.py", "    while dot != -1:", "    while False:"),
    Fault("keys: only the first dot", "event.py", 'dot = key.find(".", dot + 1)', "dot = -1"),
    Fault("keywords: names of fields", "event.py", "            yield path, Scalar(value)", "            yield path, Scalar(value)\n            yield path, Scalar(path)"),
    Fault("keywords: only the surface", "event.py", "waiting.extend(reversed(inner))", "waiting.extend(reversed(inner) if not path else ())"),
    Fault("numbers: text is none", "text.py", "    if isinstance(value, int | float):\n        return value", "    if isinstance(value, int | float):\n        return value\n    return None"),
    Fault("numbers: letter by letter", "predicate.py", "self.order.holds(value.number, self.number)", "str(value.number) > str(self.number)"),
    Fault("numbers: as floats", "text.py", "return float(text) if point else int(text)", "return float(text)"),
    Fault("numbers: gt is gte", "predicate.py", "return left > right", "return left >= right"),
    Fault("numbers: lte is lt", "predicate.py", "return left <= right", "return left < right"),
    Fault("truth: is a number", "text.py", 'return "true" if value else "false"', "return str(int(value))"),
    Fault("cidr: v4 within v6", "predicate.py", "return mapped or address", "return address"),
    Fault("cidr: whatever is no address", "predicate.py", "address is not None and address in", "address is None or address in"),
    Fault("re: i is not heard", "values.py", "for flag in value.flags))", 'for flag in value.flags if flag.name != "IGNORECASE"))'),
    Fault("re: anchored", "predicate.py", "compiled(self.source).search(value.octets)", "compiled(self.source).match(value.octets)"),
    Fault("base64: two offsets", "modifiers.py", "for offset in range(3)", "for offset in range(2)"),
    Fault("base64: too much is kept", "modifiers.py", "(None, -3, -2)", "(None, -2, -2)"),
    Fault("utf16: no mark", "modifiers.py", 'b"\\xff\\xfe"', 'b""'),
    Fault("utf16: wrong end", "modifiers.py", '"utf-16-be"', '"utf-16-le"'),
    Fault("fieldref: missing equals", "condition.py", "others = [self.text(other) for other in event.scalars(self.other)]", 'others = [self.text(other) for other in event.scalars(self.other)] or ["x"]'),
    Fault("fieldref: cased ignores it", "condition.py", "return value.text if self.cased else value.folded", "return value.folded"),
    Fault("date: in another zone", "predicate.py", "moment = datetime.fromisoformat(value.raw)", "moment = datetime.fromisoformat(value.raw).astimezone()"),
    Fault("them: with underscores", "compile.py", 'and (wanted.startswith("_") or not name.startswith("_"))', ""),
    Fault("all of is 1 of", "compile.py", "all_of if item.cond_class is ConditionAND else any_of\n        return link(selections", "any_of\n        return link(selections"),
    Fault("not: of names", "compile.py", "NOT_NOT.sub(MARK, text)", "text"),
    Fault("window: without its end", "correlate.py", "yield bisect_left(ats, ats[index] - span), end", "yield bisect_right(ats, ats[index] - span), end"),
    Fault("window: too short", "correlate.py", "yield bisect_left(ats, ats[index] - span), end", "yield bisect_left(ats, ats[index] - span + 1), end"),
    Fault("window: silence at its end", "decide.py", "begin, end = index + 1, bisect_right(hits.ats, due)", "begin, end = index + 1, bisect_left(hits.ats, due)"),
    Fault("window: silence too early", "decide.py", "wait = 0 if self.asked is Asked.ENDING else self.span", "wait = 0"),
    Fault("late: events in disorder", "../../watch/together.py", "key=lambda one: (one[1].at, one[0])", "key=lambda one: one[0]"),
    Fault("group: missing is a group", "chain.py", "if all(found) else None", 'if any(found) or not fields else ("",)'),
    Fault("group: all are one", "chain.py", "group = _values(rule, name, event, rule.group_by)\n", 'group = _values(rule, name, event, rule.group_by) and ("",)\n'),
    Fault("alias: not heard", "chain.py", "return rule.aliases.get(field, {}).get(name, field)", "return field"),
    Fault("count: an event twice", "memory.py", "self.kept[index - 1] == hit:", "self.kept[index - 1] is hit:"),
    Fault("count: values that went", "gauge.py", "        self._values[value] -= 1\n", "        self._values[value] -= 0\n"),
    Fault("order: of a longest row", "gauge.py", "for moment in (None, *begins)]", "for moment in (None, *([None] * len(begins)))]"),
    Fault("order: is not looked at", "gauge.py", "latest = self._before(rule, latest)", "latest = self._before(rule, None)"),
    Fault("sum: as floats", "chain.py", "str(amount))", "str(float(amount)))"),
    Fault("sum: what is too old", "gauge.py", "self._sum -= Fraction(value)", "self._sum -= 0"),
    Fault("mean: rounded", "gauge.py", "return self._sum / self._count if", "return round(self._sum / self._count, 6) if"),
    Fault("rank: not interpolated", "gauge.py", "return low + (high - low) * Fraction(part, 100)", "return low"),
    Fault("not: a rule that hit", "threshold.py", "not w.absent & measured", "True"),
    Fault("chain: by the inner group", "chain.py", "Seen(end.at, end.seq, above.group,", "Seen(end.at, end.seq, result.group,"),
    Fault("chain: when the first happened", "chain.py", "hit = Seen(end.at,", "hit = Seen(result.first,"),
    Fault("generate: always", "ruleset.py", "for name in one.rules if not one.generate", "for name in one.rules if False"),
)  # fmt: skip


def copied(folder: Path) -> None:
    """Copy what is tried into *folder*."""
    without = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "soc", folder / "soc", ignore=without)
    shutil.copytree(ROOT / "tests/conformance", folder / "tests/conformance", ignore=without)


def where(fault: Fault, folder: Path) -> Path:
    """Return the file of *fault* in *folder*."""
    return (folder / SIGMA / fault.file).resolve()


def planted(fault: Fault, folder: Path) -> str:
    """Return what *folder* says with *fault* in it: the first vector that fails, or nothing."""
    path = where(fault, folder)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(fault.old, fault.new), encoding="utf-8")
    try:
        return held(folder)
    finally:
        path.write_text(text, encoding="utf-8")


def held(folder: Path) -> str:
    """Return the first vector that fails for what is in *folder*, or nothing."""
    command = [sys.executable, "-m", "tests.conformance.hold", "--first"]
    env = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=LONGEST, check=False
    )
    if done.returncode and not done.stdout:
        return done.stderr.strip().splitlines()[-1]
    return done.stdout.strip()


def main() -> int:
    """Plant the faults and print what noticed them."""
    wanted = [fault for fault in FAULTS if " ".join(sys.argv[1:]) in fault.name]
    for fault in wanted:
        times = where(fault, ROOT).read_text(encoding="utf-8").count(fault.old)
        if times != 1:
            raise SystemExit(f"{fault.name}: its text is {times} times in {fault.file}, not once")
    unnoticed = 0
    print("| fault | file | noticed by |", "|---|---|---|", sep="\n")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        copied(folder)
        if why := held(folder):
            raise SystemExit(f"without any fault a vector fails: {why}")
        for fault in wanted:
            noticed = planted(fault, folder)
            unnoticed += not noticed
            told = " ".join(noticed.split(" ")[:2]) or "**nothing**"
            print(f"| {fault.name} | {Path(fault.file).name} | {told} |", flush=True)
    print(f"\n{len(wanted) - unnoticed} of {len(wanted)} faults are noticed")
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main())
