"""Keep what an incident rests on, as files that are named by what they hold."""

import os
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlmodel import Session

from soc.content.digest import canonical
from soc.incidents import alerts, lifecycle
from soc.model.value import rfc3339


def keep(session: Session, incident: int, folder: Path) -> dict[str, Any]:
    """Write the alerts of *incident* with their raw events into *folder*.

    Returns the digest, the file's name and the counts. The same alerts make the same file, so a
    repeat changes nothing; a transaction that is undone leaves a file that nobody names.
    """
    found = [_alert(session, alert) for alert in lifecycle.alerts_of(session, incident)]
    text = canonical({"incident": f"INC-{incident}", "alerts": found})
    digest = sha256(text).hexdigest()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{digest}.json"
    if not path.exists():
        draft = path.with_suffix(f".{os.getpid()}.tmp")
        with draft.open("wb") as file:
            draft.chmod(0o600)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    events = sum(len(alert["events"]) for alert in found)
    return {"digest": f"sha256:{digest}", "file": path.name, "alerts": len(found), "events": events}


def _alert(session: Session, alert: Any) -> dict[str, Any]:  # noqa: ANN401 - a row
    return {
        "id": alert.id,
        "key": alert.key,
        "rule": alert.rule,
        "rule_digest": alert.rule_digest,
        "entity": alert.entity,
        "first": rfc3339(alert.first),
        "last": rfc3339(alert.last),
        "events": [
            {
                "seq": e.seq,
                "ts": rfc3339(e.ts),
                "source": e.source,
                "digest": e.digest,
                "raw": e.raw,
            }
            for e in alerts.events_of(session, alert.id or 0)
        ],
    }
