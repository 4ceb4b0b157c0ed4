"""What shippers call the fields that rules name, in the Elastic Common Schema and beside it.

Winlogbeat puts what an event says under ``winlog.event_data``, and what ECS has a field for into
that one. Of auditd, Filebeat writes ``auditd.log``, Auditbeat and Elastic Agent ``auditd.data``.
"""

from collections.abc import Mapping
from types import MappingProxyType

from soc.detect.sigma.event import key_of

Names = tuple[str, ...]

SYSTEM: Mapping[str, Names] = MappingProxyType(
    {
        "Channel": ("winlog.channel",),
        "EventID": ("winlog.event_id", "event.code"),
        "Provider_Name": ("winlog.provider_name", "event.provider"),
        "SourceName": ("winlog.provider_name", "event.provider"),
        "Computer": ("winlog.computer_name", "host.name"),
        "ComputerName": ("winlog.computer_name", "host.name"),
        "Hostname": ("winlog.computer_name", "host.name"),
    }
)
"""What the event log says of every event."""

PROCESS: Mapping[str, Names] = MappingProxyType(
    {
        "Image": ("process.executable",),
        "CommandLine": ("process.command_line",),
        "CurrentDirectory": ("process.working_directory",),
        "ProcessId": ("process.pid",),
        "ParentImage": ("process.parent.executable",),
        "ParentCommandLine": ("process.parent.command_line",),
        "ParentProcessId": ("process.parent.pid",),
        "User": ("user.name", "user.domain"),
        "TargetFilename": ("file.path",),
        "SourceIp": ("source.ip",),
        "SourcePort": ("source.port",),
        "SourceHostname": ("source.domain",),
        "DestinationIp": ("destination.ip",),
        "DestinationPort": ("destination.port",),
        "DestinationHostname": ("destination.domain",),
        "Protocol": ("network.transport",),
    }
)
"""What ECS has of processes, their files and their connections, whatever the system."""

WINDOWS: Mapping[str, Names] = MappingProxyType(
    {
        **PROCESS,
        "ProcessGuid": ("process.entity_id",),
        "ParentProcessGuid": ("process.parent.entity_id",),
        "NewProcessName": ("process.executable",),
        "SourceImage": ("process.executable",),
        "OriginalFileName": ("process.pe.original_file_name", "file.pe.original_file_name"),
        "Company": ("process.pe.company", "file.pe.company"),
        "Description": ("process.pe.description", "file.pe.description"),
        "FileVersion": ("process.pe.file_version", "file.pe.file_version"),
        "Product": ("process.pe.product", "file.pe.product"),
        "ImageLoaded": ("file.path", "dll.path"),
        "Signature": ("file.code_signature.subject_name",),
        "SignatureStatus": ("file.code_signature.status",),
        "Signed": ("file.code_signature.signed",),
        "TargetObject": ("registry.path",),
        "Details": ("registry.data.strings",),
        "PipeName": ("file.name",),
        "QueryName": ("dns.question.name",),
        "ScriptBlockText": ("powershell.file.script_block_text",),
        "Path": ("file.path",),
        "EngineVersion": ("powershell.engine.version",),
        "IpAddress": ("source.ip",),
        "IpPort": ("source.port",),
        "WorkstationName": ("source.domain",),
        "SubjectUserName": ("user.name",),
        "TargetUserName": ("user.target.name", "user.name"),
        "ServiceName": ("service.name",),
    }
)
"""What Winlogbeat calls the fields of Sysmon, of the Security log and of PowerShell."""

LINUX: Mapping[str, Names] = MappingProxyType(
    {
        **PROCESS,
        "CommandLine": ("process.command_line", "process.title"),
        "type": ("auditd.log.record_type", "auditd.message_type"),
        "exe": ("process.executable",),
        "comm": ("process.name",),
        "proctitle": ("process.title",),
        "name": ("file.path",),
        "key": ("tags",),
        "cwd": ("process.working_directory",),
        "pid": ("process.pid",),
        "uid": ("user.id",),
        "euid": ("user.effective.id",),
        "auid": ("user.audit.id",),
    }
)
"""What is written of auditd's records and, of processes, in their place."""

ACTIONS: Mapping[str | None, Names] = MappingProxyType(
    {
        "process_creation": ("executed", "execve", "exec"),
        "network_connection": ("connected-to", "connect"),
        "file_event": ("created", "created-file"),
    }
)
"""What stands as event.action in the records of a category's events."""


def winlogbeat(field: str) -> Names:
    """Return what Winlogbeat may call *field*."""
    if (known := _SYSTEM.get(key_of(field))) is not None:
        return known
    return (*_WINDOWS.get(key_of(field), ()), f"winlog.event_data.{field}")


def auditd(field: str) -> Names:
    """Return what those that read auditd may call *field*."""
    return (*_LINUX.get(key_of(field), ()), f"auditd.log.{field}", f"auditd.data.{field}")


_SYSTEM, _WINDOWS, _LINUX = (
    {key_of(field): names for field, names in table.items()} for table in (SYSTEM, WINDOWS, LINUX)
)
