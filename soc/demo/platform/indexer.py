"""Copy blocks into the platform's index, on time or, if told so, late."""

from datetime import datetime, timedelta

from soc.demo.platform.chain import Chain
from soc.demo.platform.machine import now
from soc.demo.platform.recorder import Recorder
from soc.demo.platform.store import Store

STATUS_SECONDS = 0.5


class Indexer:
    """Reads the chain in order and says every half second how far behind it is.

    delay: a block is read only when it is this old.
    """

    def __init__(self, chain: Chain, store: Store, recorder: Recorder) -> None:
        self.delay = timedelta()
        self._chain = chain
        self._store = store
        self._recorder = recorder
        self._head = 0
        self._said_at: datetime | None = None

    def step(self) -> None:
        """Read the blocks that are due, and tell the state if it is time to."""
        moment = now()
        behind = self._chain.blocks_after(self._head)
        due = [block for block in behind if block.time <= moment - self.delay]
        for block in due:
            self._recorder.block(block)
            for tx in block.transactions:
                self._recorder.transaction(tx, block)
            given = [tx.hash for tx in block.transactions if tx.receiver is None]
            self._store.confirm(given, block.number)
            self._head = block.number
        if self._said_at is None or (moment - self._said_at).total_seconds() >= STATUS_SECONDS:
            self._said_at = moment
            left = behind[len(due) :]
            seconds = (moment - left[0].time).total_seconds() if left else 0.0
            self._recorder.status(head=self._head, blocks=len(left), seconds=max(seconds, 0.0))
