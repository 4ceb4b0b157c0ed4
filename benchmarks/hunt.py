"""Store public events of Windows, and ask one rule about all of them: parts of ``detect.py``."""

import gc
import io
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import zstandard

from soc.clock import SystemClock
from soc.detect.sigma.asked import fields_of
from soc.detect.sigma.load import load_rules
from soc.detect.sigma.ruleset import Ruleset
from soc.ingest.parse import Intake
from soc.ingest.parsers.windows import Windows
from soc.logs.embedded import EmbeddedLog
from soc.logs.promote import announce
from soc.logs.reader import LogReader
from soc.model.event import assign
from soc.settings import Logs
from soc.watch.hunt import Hunt, hunt

BATCH = 20_000
TIMES = 5
NEW = (
    "process_creation/proc_creation_win_powershell_encode.yml",
    "process_creation/proc_creation_win_susp_system_user_anomaly.yml",
    "registry/registry_set/registry_set_asep_reg_keys_modification_currentversion.yml",
    "image_load/image_load_dll_amsi_suspicious_process.yml",
    "network_connection/net_connection_win_rundll32_net_connections.yml",
)
"""Rules that are asked as if each were new: each about other events."""


def fill(root: Path, events: Path, ruleset: Ruleset) -> int:
    """Store *events*, with columns for what *ruleset* asks for; return how many."""
    announce(root, fields_of(ruleset))
    clock, stored = SystemClock(), 0
    log = EmbeddedLog(root, Logs(warn_below=0, refuse_below=0), clock)
    intake = Intake({"windows": Windows()})
    with zstandard.open(events, "rb") as file:
        lines = (line for line in io.BufferedReader(file, 1 << 20) if line.strip())
        while batch := [line.rstrip() for line in islice(lines, BATCH)]:
            columns = intake.table(batch, [None] * len(batch), clock.now())
            log.append(assign(columns, ["bench"] * len(batch), ["default"] * len(batch)))
            stored += len(batch)
            if stored // BATCH % 4 == 3:
                log.seal()
    log.seal()
    log.compact()
    log.close()
    return stored


def hunted(root: Path, rules: Path) -> Iterator[tuple[str, float, int, int]]:
    """Yield for each new rule its name, the CPU seconds that it takes, events looked at, hits."""
    reader = LogReader(root)
    for name in NEW:
        path = rules / name
        if not path.is_file():
            continue
        ruleset = load_rules([path])
        took = [_once(reader, ruleset) for _ in range(TIMES)]
        seconds, events, hits = sorted(took)[TIMES // 2]
        yield path.stem, seconds, events, hits


def _once(reader: LogReader, ruleset: Ruleset) -> tuple[float, int, int]:
    new = Ruleset(ruleset.rules, pipelines=ruleset.pipelines)
    gc.collect()
    began, told = time.process_time(), Hunt()
    hits = sum(1 for _ in hunt(reader, new, None, None, told))
    return time.process_time() - began, told.events, hits
