"""The platform's own database, one SQLite file: rounds, projects, donations, staff, sessions."""

import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import scrypt
from hmac import compare_digest
from pathlib import Path
from threading import Lock
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS round (
    id TEXT PRIMARY KEY, name TEXT, pool TEXT, start TEXT, "end" TEXT, phase TEXT);
CREATE TABLE IF NOT EXISTS project (id TEXT PRIMARY KEY, round TEXT, name TEXT, owner TEXT);
CREATE TABLE IF NOT EXISTS donation (
    tx_hash TEXT PRIMARY KEY, wallet TEXT, round TEXT, project TEXT, amount TEXT, state TEXT);
CREATE INDEX IF NOT EXISTS donation_wallet ON donation (wallet);
CREATE TABLE IF NOT EXISTS given (tx_hash TEXT PRIMARY KEY, block INTEGER);
CREATE TABLE IF NOT EXISTS account (name TEXT PRIMARY KEY, salt BLOB, hash BLOB, roles TEXT);
CREATE TABLE IF NOT EXISTS session (
    token TEXT PRIMARY KEY, wallet TEXT, account TEXT, until REAL);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """A funding round; phase is open or closed, pool an integer as text."""

    id: str
    name: str
    pool: str
    start: str
    end: str
    phase: str = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """Something that can be given to in one round."""

    id: str
    round: str
    name: str
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Donation:
    """What a wallet says it gave; confirmed once the index has seen it on chain."""

    tx_hash: str
    wallet: str
    round: str
    project: str
    amount: str
    state: str = "announced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Who has logged in: a wallet or one of the staff, until a moment in seconds since 1970."""

    wallet: str | None
    account: str | None
    until: float


class Store:
    """The database; any thread may use it."""

    def __init__(self, path: Path) -> None:
        self._lock = Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def add_round(self, this: Round) -> None:
        """Open a round, in the place of an earlier one of its id."""
        sql = "INSERT OR REPLACE INTO round VALUES (:id, :name, :pool, :start, :end, :phase)"
        self._run(sql, asdict(this))

    def close_round(self, identity: str) -> Round | None:
        """Close a round and return it, or None if there is none."""
        self._run("UPDATE round SET phase = 'closed' WHERE id = ?", (identity,))
        return self.round(identity)

    def round(self, identity: str) -> Round | None:
        """Return one round."""
        rows = self._run("SELECT * FROM round WHERE id = ?", (identity,))
        return Round(**rows[0]) if rows else None

    def rounds(self) -> list[Round]:
        """Return every round."""
        return [Round(**row) for row in self._run("SELECT * FROM round ORDER BY id")]

    def add_project(self, project: Project) -> None:
        """Register a project, in the place of an earlier one of its id."""
        sql = "INSERT OR REPLACE INTO project VALUES (:id, :round, :name, :owner)"
        self._run(sql, asdict(project))

    def project(self, identity: str) -> Project | None:
        """Return one project."""
        rows = self._run("SELECT * FROM project WHERE id = ?", (identity,))
        return Project(**rows[0]) if rows else None

    def projects(self) -> list[Project]:
        """Return every project."""
        return [Project(**row) for row in self._run("SELECT * FROM project ORDER BY id")]

    def announce(self, donation: Donation) -> bool:
        """Keep an announced donation; return False if its transaction is already announced."""
        sql = (
            "INSERT OR IGNORE INTO donation VALUES (:tx_hash, :wallet, :round, :project, :amount,"
            " CASE WHEN EXISTS (SELECT 1 FROM given WHERE tx_hash = :tx_hash)"
            " THEN 'confirmed' ELSE 'announced' END) RETURNING 1"
        )
        return bool(self._run(sql, asdict(donation)))

    def confirm(self, tx_hashes: Sequence[str], block: int) -> None:
        """Note that donations are on chain, announced or not yet."""
        for tx_hash in tx_hashes:
            self._run("INSERT OR IGNORE INTO given VALUES (?, ?)", (tx_hash, block))
            self._run("UPDATE donation SET state = 'confirmed' WHERE tx_hash = ?", (tx_hash,))

    def donations_of(self, wallet: str) -> list[Donation]:
        """Return what a wallet has announced."""
        sql = "SELECT * FROM donation WHERE wallet = ? ORDER BY rowid"
        return [Donation(**row) for row in self._run(sql, (wallet,))]

    def donations(self) -> list[Donation]:
        """Return what all wallets have announced."""
        return [Donation(**row) for row in self._run("SELECT * FROM donation ORDER BY rowid")]

    def add_account(self, name: str, password: str, roles: Sequence[str], salt: bytes) -> None:
        """Let one of the staff log in."""
        values = (name, salt, _hash(password, salt), " ".join(roles))
        self._run("INSERT OR REPLACE INTO account VALUES (?, ?, ?, ?)", values)

    def check(self, name: str, password: str) -> tuple[bool, list[str]]:
        """Tell whether this is the account's password, and which roles the account has."""
        rows = self._run("SELECT * FROM account WHERE name = ?", (name,))
        if not rows:
            _hash(password, b"nobody")
            return False, []
        row = rows[0]
        return compare_digest(row["hash"], _hash(password, row["salt"])), row["roles"].split()

    def add_session(self, token: str, session: Session) -> None:
        """Keep a session."""
        values = (token, session.wallet, session.account, session.until)
        self._run("INSERT INTO session VALUES (?, ?, ?, ?)", values)

    def sessions(self) -> dict[str, Session]:
        """Return every session by its token."""
        rows = self._run("SELECT * FROM session")
        return {row.pop("token"): Session(**row) for row in rows}

    def _run(
        self, sql: str, values: Sequence[object] | dict[str, object] = ()
    ) -> list[dict[str, Any]]:
        with self._lock:
            return [dict(row) for row in self._db.execute(sql, values)]


def _hash(password: str, salt: bytes) -> bytes:
    return scrypt(password.encode(), salt=salt, n=2**11, r=8, p=1)
