"""Put the platform together: its parts, in the order in which they start and stop."""

from dataclasses import dataclass
from pathlib import Path

from soc.demo.platform.chain import BLOCK_SECONDS, Chain
from soc.demo.platform.front import AccessLog, Sessions
from soc.demo.platform.indexer import Indexer
from soc.demo.platform.machine import Ticker, now, token
from soc.demo.platform.outbox import Outbox
from soc.demo.platform.recorder import Recorder
from soc.demo.platform.store import Store
from soc.demo.platform.variants import Variants
from soc.edge import EdgeClient, Snapshot

SESSION_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the platform is told when it starts; the tokens are the suite's."""

    home: Path
    suite: str
    ingest_token: str
    edge_token: str
    day_seconds: float


class Site:
    """Everything the platform is made of, without HTTP."""

    def __init__(self, options: Options) -> None:
        options.home.mkdir(parents=True, exist_ok=True)
        self.options = options
        self.store = Store(options.home / "platform.sqlite")
        self.sessions = Sessions(self.store, _operator_key(options.home / "operator.key"))
        self.log = AccessLog(options.home / "platform_access.ndjson")
        self.outbox = Outbox(options.suite, options.ingest_token)
        self.recorder = Recorder(self.outbox)
        self.chain = Chain()
        self.indexer = Indexer(self.chain, self.store, self.recorder)
        self.snapshot = Snapshot()
        self.edge = EdgeClient(options.suite, options.edge_token, self.snapshot, edge="platform")
        self.variants = Variants(options.suite, options.edge_token)
        self._tickers = (
            Ticker("miner", BLOCK_SECONDS, lambda: self.chain.mine(now())),
            Ticker("indexer", 0.1, self.indexer.step),
        )

    @property
    def session_seconds(self) -> float:
        """Return how long a session lasts."""
        return SESSION_DAYS * self.options.day_seconds

    def start(self) -> None:
        """Follow the edge's rules, send events, and let the chain run."""
        self.edge.start()
        self.outbox.start()
        for ticker in self._tickers:
            ticker.start()

    def stop(self) -> None:
        """Let the chain stand still, send what is left, and close the files."""
        for ticker in self._tickers:
            ticker.stop()
        self.edge.stop()
        self.outbox.stop()
        self.log.close()
        self.store.close()


def _operator_key(path: Path) -> str:
    """Return the operator's key, made at the first start and readable by its owner alone."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(token(), encoding="ascii")
    return path.read_text(encoding="ascii").strip()
