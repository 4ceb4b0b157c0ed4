"""A tiny chain: what wallets send is in the next block, half a second later at most.

It keeps who sent what to whom, and no balances: whose money it is plays no part here.
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from threading import Lock

from soc.demo.platform.machine import token

CHAIN_ID = 31337
"""The number that local test chains go by."""
BLOCK_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """A transfer to a receiver, or else a donation to a project of a round."""

    hash: str
    sender: str
    amount: str
    receiver: str | None = None
    round: str | None = None
    project: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """What was sent until *time*."""

    number: int
    hash: str
    time: datetime
    transactions: tuple[Transaction, ...]


class Chain:
    """Blocks, and what waits for the next one."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._genesis = token()
        self._sent = 0
        self._waiting: list[Transaction] = []
        self._blocks: list[Block] = []

    def transfer(self, sender: str, receiver: str, amount: str) -> str:
        """Send money to another wallet; return the transaction's hash."""
        with self._lock:
            tx_hash = self._next_hash()
            self._waiting.append(
                Transaction(hash=tx_hash, sender=sender, amount=amount, receiver=receiver)
            )
            return tx_hash

    def donate(self, sender: str, round_id: str, project: str, amount: str) -> str:
        """Give to a project of a round; return the transaction's hash."""
        with self._lock:
            tx_hash = self._next_hash()
            self._waiting.append(
                Transaction(
                    hash=tx_hash, sender=sender, amount=amount, round=round_id, project=project
                )
            )
            return tx_hash

    def mine(self, moment: datetime) -> None:
        """Put all that waits into a block of this *moment*."""
        with self._lock:
            number = len(self._blocks) + 1
            block = Block(
                number=number,
                hash=self._hash("block", number),
                time=moment,
                transactions=tuple(self._waiting),
            )
            self._waiting = []
            self._blocks.append(block)

    def blocks_after(self, number: int) -> list[Block]:
        """Return the blocks after the one of this *number*, in order."""
        with self._lock:
            return self._blocks[number:]

    def _next_hash(self) -> str:
        self._sent += 1
        return self._hash("tx", self._sent)

    def _hash(self, kind: str, number: int) -> str:
        return "0x" + sha256(f"{self._genesis} {kind} {number}".encode()).hexdigest()
