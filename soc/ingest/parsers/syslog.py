"""Syslog as RFC 5424 has it; what sshd says about log-ins is read out of its text."""

from datetime import datetime
from types import MappingProxyType
from typing import Any

import orjson
import re2

from soc.clock import Clock, SystemClock
from soc.errors import Refused
from soc.ingest import fields
from soc.model.event import Row

HEADER = re2.compile(
    r"^<(\d{1,3})>1 (\S+) (\S{1,255}) (\S{1,48}) (\S{1,128}) (\S{1,32}) "
    r'(-|(?:\[(?:[^\]"\\]|"(?:[^"\\]|\\.)*")*\])+)(?: (.*))?$',
)
ELEMENT = re2.compile(r'\[([^ \]"]+)((?: [^ =\]"]+="(?:[^"\\]|\\.)*")*)\]')
PARAMETER = re2.compile(r'([^ =\]"]+)="((?:[^"\\]|\\.)*)"')
LOGIN = re2.compile(
    r"^(Accepted|Failed) (\S+) for (?:invalid user )?(.{1,64}?) from (\S{1,64}) port \d+"
)
OUTCOME = MappingProxyType({"Accepted": "success", "Failed": "failure"})
SSHD = frozenset({"sshd", "sshd-session"})
HIGHEST_PRIORITY = 191
NIL = "-"


class Syslog:
    """Takes RFC 5424 messages; one without a time gets ours, and says so in soc.time_guessed."""

    name = "syslog"
    text = True

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()

    def claims(self, line: str) -> bool:
        """Return whether *line* begins like syslog."""
        return line.startswith("<") and ">1 " in line[:7]

    def parse(self, line: str) -> Row:
        """Return the message as an event; raises Refused for what is not RFC 5424."""
        found = HEADER.match(line)
        if not found or int(found[1]) > HIGHEST_PRIORITY:
            raise Refused("not an RFC 5424 message: begin with <PRI>1 TIMESTAMP HOST APP PID ID SD")
        priority, when, host, app, pid, kind, data, said = found.groups()
        guessed = when == NIL
        moment = self._clock.now() if guessed else fields.moment(when, "TIMESTAMP")
        about = {"appname": app, "procid": pid, "msgid": kind}
        syslog: dict[str, Any] = {key: said for key, said in about.items() if said != NIL}
        if elements := structured_data(data):
            syslog["structured_data"] = elements
        message = (said or "").removeprefix("\ufeff")
        return event(self.name, line, int(priority), moment, host, syslog, message, guessed=guessed)


def event(
    parser: str,
    line: str,
    priority: int,
    moment: datetime,
    host: str | None,
    syslog: dict[str, Any],
    message: str,
    *,
    guessed: bool,
) -> Row:
    """Return a syslog message as an event. syslog: what ECS has under ``log.syslog``."""
    app, host = syslog.get("appname"), None if host == NIL else host
    dataset = "sshd" if app in SSHD else "syslog"
    login = LOGIN.match(message) if app in SSHD else None
    document: dict[str, Any] = {
        "@timestamp": moment.isoformat(),
        "event": {"dataset": dataset, "kind": "event", "original": line},
        "host": {"name": host},
        "log": {
            "syslog": {
                "facility": {"code": priority // 8},
                "severity": {"code": priority % 8},
                "priority": priority,
                **syslog,
            }
        },
        "process": {"name": app, "pid": syslog.get("procid")},
        "message": message,
    }
    if guessed:
        document["soc"] = {"time_guessed": True}
    if login:
        verb, method, user, ip = login.groups()
        document["event"] |= {
            "category": ["authentication"], "action": "login", "outcome": OUTCOME[verb],
        }  # fmt: skip
        document |= {"user": {"name": user}, "source": {"ip": ip}, "sshd": {"method": method}}
    return Row(
        ts=moment,
        raw=orjson.dumps(document).decode(),
        parser=parser,
        dataset=dataset,
        action="login" if login else None,
        outcome=OUTCOME[login[1]] if login else None,
        user_name=login[3] if login else None,
        src_ip=login[4] if login else None,
        host=host,
        message=message[: fields.MAX_TEXT],
    )


def structured_data(text: str) -> dict[str, dict[str, str]]:
    """Return the elements of RFC 5424's STRUCTURED-DATA by id, each with its parameters."""
    return {
        match[1]: {name: _plain(value) for name, value in PARAMETER.findall(match[2])}
        for match in ELEMENT.finditer(text)
    }


def _plain(value: str) -> str:
    """Return a PARAM-VALUE without the backslash before a quote, a backslash or a bracket."""
    letters = iter(value)
    plain = []
    for letter in letters:
        following = next(letters, "") if letter == "\\" else ""
        plain.append(following if following in {'"', "\\", "]"} else letter + following)
    return "".join(plain)
