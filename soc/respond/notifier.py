"""Hand messages over: to files in the home's outbox, for people and for whatever sends on."""

import json
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from soc.model.value import rfc3339


class Notifier(Protocol):
    """A way to reach people."""

    def send(self, key: str, to: Sequence[str], title: str, text: str, now: datetime) -> None:
        """Send a message once per *key*; raises OSError if it cannot be handed over."""


class Outbox:
    """A folder with a JSON file per message: ``{"key","at","to","title","text"}``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, key: str, to: Sequence[str], title: str, text: str, now: datetime) -> None:
        """Write the message; the same key writes the same file, so a repeat sends nothing new."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{sha256(key.encode()).hexdigest()[:32]}.json"
        if path.exists():
            return
        message = {"key": key, "at": rfc3339(now), "to": list(to), "title": title, "text": text}
        draft = path.with_suffix(".tmp")
        draft.write_text(json.dumps(message, ensure_ascii=False, indent=1) + "\n")
        draft.rename(path)
