"""Say what a log source asks of events: which channel, which event ids.

The conditions are those of pySigma's pipelines ``sysmon`` and ``windows-logsources``. Rules of
other products pass through unchanged. ``source-names`` is for events whose shipper calls the
provider ``SourceName``, as NXLog does: each of the two names then stands for both. ``winlogbeat``
and ``auditd`` let fields also stand where these put them, see ``shippers``.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from soc.detect.sigma.rule import LogSource
from soc.detect.sigma.shippers import ACTIONS, auditd, winlogbeat
from soc.errors import Refused

Needs = tuple[tuple[str, tuple[str | int, ...]], ...]
"""Fields, each with the values of which one must be there."""

SOURCE_NAMES, WINLOGBEAT, AUDITD = "source-names", "winlogbeat", "auditd"
PROVIDERS = ("Provider_Name", "SourceName")

DEFAULT = ("sysmon", "windows-logsources")

SYSMON_EVENTS: Mapping[str | None, tuple[int, ...]] = MappingProxyType(
    {
        "process_creation": (1,),
        "file_change": (2,),
        "network_connection": (3,),
        "sysmon_status": (4, 16),
        "process_termination": (5,),
        "driver_load": (6,),
        "image_load": (7,),
        "create_remote_thread": (8,),
        "raw_access_thread": (9,),
        "process_access": (10,),
        "file_event": (11,),
        "registry_add": (12,),
        "registry_delete": (12,),
        "registry_set": (13,),
        "registry_rename": (14,),
        "registry_event": (12, 13, 14),
        "create_stream_hash": (15,),
        "pipe_created": (17, 18),
        "wmi_event": (19, 20, 21),
        "dns_query": (22,),
        "file_delete": (23,),
        "clipboard_capture": (24,),
        "process_tampering": (25,),
        "file_delete_detected": (26,),
        "file_block_executable": (27,),
        "file_block_shredding": (28,),
        "file_executable_detected": (29,),
        "sysmon_error": (255,),
    }
)

POWERSHELL_EVENTS: Mapping[str | None, tuple[str, int]] = MappingProxyType(
    {
        "ps_module": ("powershell", 4103),
        "ps_script": ("powershell", 4104),
        "ps_classic_start": ("powershell-classic", 400),
        "ps_classic_provider_start": ("powershell-classic", 600),
        "ps_classic_script": ("powershell-classic", 800),
    }
)


def needs_of(source: LogSource, pipelines: Sequence[str]) -> Needs:
    """Return what *pipelines*, one after the other, ask of the events of *source*."""
    needs: Needs = ()
    for name in pipelines:
        source, more = PIPELINES[name](source)
        needs += more
    return needs


def chosen(names: Sequence[str] | None) -> tuple[str, ...]:
    """Return the pipelines that *names* choose: None are the usual ones, ``none`` is none."""
    if names is None:
        return DEFAULT
    unknown = sorted(set(names) - PIPELINES.keys() - {"none"})
    if unknown:
        known = ", ".join(sorted([*PIPELINES, "none"]))
        raise Refused(f"there is no pipeline {unknown[0]!r}: known are {known}")
    return tuple(name for name in names if name != "none")


def names_of(field: str, source: LogSource, pipelines: Sequence[str]) -> tuple[str, ...]:
    """Return what events of *source* may call *field*, the name that a rule uses first."""
    names = [field]
    if SOURCE_NAMES in pipelines and field in PROVIDERS:
        names += PROVIDERS
    if WINLOGBEAT in pipelines and source.product == "windows":
        names += [other for name in tuple(names) for other in winlogbeat(name)]
    if AUDITD in pipelines and source.product == "linux":
        names += auditd(field)
    return tuple(dict.fromkeys(names))


def origin_of(pipelines: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Return the fields that say where an event comes from, each with all of its names."""
    windows = LogSource(product="windows")
    known = (names_of(name, windows, pipelines) for name in ("Channel", "EventID"))
    return (*known, ("event.dataset",))


def _sysmon(source: LogSource) -> tuple[LogSource, Needs]:
    ids = SYSMON_EVENTS.get(source.category) if source.product == "windows" else None
    if ids is None:
        return source, ()
    return source._replace(service="sysmon"), (("EventID", ids),)


def _unchanged(source: LogSource) -> tuple[LogSource, Needs]:
    return source, ()


def _windows(source: LogSource) -> tuple[LogSource, Needs]:
    if source.product != "windows":
        return source, ()
    from sigma.pipelines.common import windows_logsource_mapping  # all of pySigma

    needs: Needs = ()
    if source.category in POWERSHELL_EVENTS:
        service, event_id = POWERSHELL_EVENTS[source.category]
        source, needs = source._replace(service=service), (("EventID", (event_id,)),)
    channels = windows_logsource_mapping.get(source.service or "")
    if channels:
        names = (channels,) if isinstance(channels, str) else tuple(channels)
        needs += (("Channel", names),)
    return source, needs


def _auditd(source: LogSource) -> tuple[LogSource, Needs]:
    actions = ACTIONS.get(source.category) if source.product == "linux" else None
    return source, ((("event.action", actions),) if actions else ())


PIPELINES: Mapping[str, Callable[[LogSource], tuple[LogSource, Needs]]] = MappingProxyType(
    {
        "sysmon": _sysmon,
        "windows-logsources": _windows,
        SOURCE_NAMES: _unchanged,
        WINLOGBEAT: _unchanged,
        AUDITD: _auditd,
    }
)
