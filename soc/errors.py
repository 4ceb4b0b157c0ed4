"""Every error the suite raises on purpose.

SocError
├── AccessDenied      the caller may not do this
│   ├── NotAuthenticated   nobody knows who the caller is
│   └── TooManyRequests    the caller asks too often
├── ActionFailed      an action of a playbook failed
├── BackupError       a backup cannot be made, trusted or restored
├── Busy              too much is asked at once
├── ContentError      files that people write have mistakes
├── ExpressionError   a ${{ }} expression cannot be evaluated
├── Fenced            another worker holds this run now
├── HomeError         the home directory cannot be used
├── Illegal           the thing is not in a state that allows this
│   └── Unmatched          a round is too large to be matched here
├── LogError          the event store is damaged or cannot be written
│   ├── ClusterDown        the cluster that keeps events does not answer
│   ├── Damaged            a file of the event store is not what was written
│   ├── Held               a legal hold keeps what was to be removed
│   └── StoreFull          the disk has no room for more events
├── NotFound          there is no such thing
├── Outdated          the thing changed since the caller looked
├── PluginError       two plug-ins claim one name
├── QueryError        a search or SQL query is refused
├── Refused           input that cannot be taken, and what to send instead
├── SettingsError     settings are wrong
├── StoreError        the store cannot be reached or used
├── Unfit             data do not allow what was asked of them
├── Unreloaded        nginx did not read what is in force
└── WindowTaken       another worker is ahead with a window

The class name is the code, the first line of its docstring the message, its attributes the facts.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake in a file: where it is, what it is, and what to write instead."""

    path: Path
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


class SocError(Exception):
    """Something went wrong that the suite foresaw."""

    def __str__(self) -> str:
        message = (type(self).__doc__ or type(self).__name__).partition("\n")[0]
        facts = ", ".join(f"{name}={value}" for name, value in vars(self).items())
        return f"{message} ({facts})" if facts else message


class _Reasoned(SocError):
    """An error whose message is written where it is raised."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)

    def __str__(self) -> str:
        return self.reason


class AccessDenied(_Reasoned):
    """The caller may not do this; the reason says what is missing."""


class NotAuthenticated(AccessDenied):
    """Nobody knows who the caller is; the reason says what to send."""


class TooManyRequests(AccessDenied):
    """The caller asks too often; the reason says how long to wait.

    after: seconds.
    """

    def __init__(self, reason: str, after: int = 60) -> None:
        super().__init__(reason)
        self.after = after


class ActionFailed(_Reasoned):
    """An action of a playbook failed; the reason says why.

    kind: timeout, unavailable, rate_limited, denied, invalid or error.
    """

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


class Busy(_Reasoned):
    """Too much is asked at once; nothing was done.

    after: seconds to wait before asking again.
    """

    def __init__(self, reason: str, after: int = 5) -> None:
        super().__init__(reason)
        self.after = after


class BackupError(_Reasoned):
    """A backup cannot be made, trusted or restored; the reason names what is wrong, a line each."""


class ContentError(SocError):
    """A file has mistakes; str() gives them a line each."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


class ExpressionError(_Reasoned):
    """An expression is not allowed, or has no value; the reason names it."""


class Fenced(SocError):
    """Another worker holds this run now: what was done here does not count."""

    def __init__(self, run: str) -> None:
        self.run = run
        super().__init__(run)


class HomeError(_Reasoned):
    """The home directory cannot be used; the reason says what to do."""


class Illegal(_Reasoned):
    """What was asked does not fit the state of the thing; nothing was changed."""


class Unmatched(Illegal):
    """A round is too large to be matched here; the reason says how large it may be."""


class LogError(_Reasoned):
    """The event store is damaged or cannot be written; the reason names the file."""


class ClusterDown(LogError):
    """The cluster that keeps events does not answer now; the reason says how."""


class Damaged(LogError):
    """A file of the event store is not what was written: restore it from a backup."""

    def __init__(self, *paths: Path) -> None:
        self.paths = paths
        named = ", ".join(map(str, paths))
        hint = "restore it from a backup, or go on without it: soc segments give-up"
        super().__init__(f"{named} is damaged: {hint}")


class Held(LogError):
    """A hold keeps this: release it first."""

    def __init__(self, name: str, why: str) -> None:
        self.name = name
        super().__init__(f"{name} is held ({why}): release the hold first")


class StoreFull(LogError):
    """The disk has no room for more events; the reason says how much is free."""


class NotFound(SocError):
    """There is no such thing."""

    def __init__(self, kind: str, name: str) -> None:
        self.kind = kind
        self.name = name
        super().__init__(kind, name)

    def __str__(self) -> str:
        return f"there is no {self.kind} {self.name}"


class Outdated(_Reasoned):
    """What was asked is about a state that is no more; nothing was changed."""


class PluginError(SocError):
    """Two installed distributions offer the same name: uninstall one."""

    def __init__(self, group: str, name: str) -> None:
        self.group = group
        self.name = name
        super().__init__(group, name)


class QueryError(_Reasoned):
    """A query is refused; the reason says what to write instead."""


class Refused(_Reasoned):
    """Input that cannot be taken; the reason says what to send instead."""


class SettingsError(_Reasoned):
    """Settings are wrong; the reason lists each with its place."""


class StoreError(_Reasoned):
    """The store cannot be reached or used; the reason says what became of the change."""


class Unfit(_Reasoned):
    """Data do not allow what was asked of them; the reason counts what there is and is needed."""


class Unreloaded(_Reasoned):
    """nginx did not read what is in force; the reason says what its command said."""


class WindowTaken(SocError):
    """Another worker is ahead with this window: its results stand, these are dropped."""

    def __init__(self, detector: str) -> None:
        self.detector = detector
        super().__init__(detector)
