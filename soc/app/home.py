"""One directory holds all state of an installation."""

from dataclasses import dataclass
from pathlib import Path

from soc.errors import HomeError
from soc.logs.files import write_durably

FORMAT = 2
"""1: a chain of seals and drops. 2: also of compactions, rewrites and holds."""


@dataclass(frozen=True, slots=True)
class Home:
    """Where everything of an installation lies."""

    path: Path

    @property
    def settings(self) -> Path:
        """Return the file of settings."""
        return self.path / "settings.yml"

    @property
    def database(self) -> str:
        """Return the URL of the store."""
        return f"sqlite:///{self.path / 'store.db'}"

    @property
    def events(self) -> Path:
        """Return the folder of the event store."""
        return self.path / "events"

    @property
    def outbox(self) -> Path:
        """Return the folder of messages."""
        return self.path / "outbox"

    @property
    def evidence(self) -> Path:
        """Return the folder of what playbooks kept of incidents."""
        return self.path / "evidence"

    @property
    def socket(self) -> Path:
        """Return the socket that the front door listens on for this machine."""
        return self.path / "soc.sock"

    def content(self, kind: str) -> Path:
        """Return the folder of the site's own *kind* of content."""
        return self.path / "content" / kind


def create(path: Path) -> Home:
    """Make an empty home at *path*; raises HomeError if something else is there."""
    home = Home(path.resolve())
    if (home.path / "format").exists():
        raise HomeError(f"{path} is a home already")
    if home.path.exists() and any(home.path.iterdir()):
        raise HomeError(f"{path} holds other files: name an empty or a new directory")
    home.path.mkdir(parents=True, exist_ok=True)
    home.path.chmod(0o700)
    for kind in ("rules", "playbooks", "threat_model", "retention", "sources"):
        home.content(kind).mkdir(parents=True)
    home.settings.write_text("# What this site decides; `soc check` names every mistake.\n")
    (home.path / "format").write_text(f"{FORMAT}\n")
    return home


def find(path: Path) -> Home:
    """Return the home at *path*; raises HomeError if there is none, or a newer one."""
    home = Home(path.resolve())
    try:
        written = (home.path / "format").read_text().strip()
    except OSError as missing:
        raise HomeError(f"{path} is no home: make one with `soc init --home {path}`") from missing
    if not written.isdigit() or int(written) > FORMAT:
        raise HomeError(f"{path} has format {written}: use the newer version that made it")
    return home


def modernise(home: Home) -> None:
    """Mark *home* as of this version before anything is written that an older one cannot read."""
    path = home.path / "format"
    if path.read_text().strip() != str(FORMAT):
        write_durably(path, f"{FORMAT}\n".encode())
