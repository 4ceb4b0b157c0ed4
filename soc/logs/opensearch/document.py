"""Events as documents: the columns under ``commonwatch``, beside them the event's own fields."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import Any

import orjson
import pyarrow as pa

from soc.model.event import SCHEMA, document_of
from soc.model.value import micros, moment_of

COLUMNS = "commonwatch"
TEMPLATE = "commonwatch-events"
PATTERN = "soc-*"
MOMENTS = ("ts", "ingested")
KEYWORD = MappingProxyType({"type": "keyword"})
OF_TEXT = MappingProxyType({"match_mapping_type": "string"})
INDEXED_LETTERS = 8_191
"""UTF-16 letters that Lucene takes in one keyword, whatever they are."""
BARE = frozenset({"raw", "reason"})
"""Columns that are kept and not indexed."""


def index_of(data_class: str, day: date) -> str:
    """Return the index of what *data_class* took in on *day*."""
    return f"soc-{data_class}-{day.isoformat()}"


def template() -> dict[str, Any]:
    """Return the template of all indices.

    Moments are whole microseconds since 1970, so that what is compared is what was stored. An
    event's own fields are indexed as they come; text of any length is kept, long text not indexed.
    """
    text: dict[str, Any] = {**KEYWORD, "ignore_above": INDEXED_LETTERS}
    columns: dict[str, Any] = {name: dict(KEYWORD) for name in SCHEMA.names}
    columns |= {name: {"type": "long"} for name in ("seq", "moment", *MOMENTS)}
    columns |= {name: {**KEYWORD, "index": False, "doc_values": False} for name in BARE}
    return {
        "index_patterns": [PATTERN],
        "priority": 500,
        "template": {
            "settings": {
                "number_of_shards": 1,
                "index.mapping.ignore_malformed": True,
                "index.mapping.total_fields.limit": 2_000,
                "index.max_result_window": 10_000,
            },
            "mappings": {
                "date_detection": False,
                "dynamic_templates": [
                    {"address": {**OF_TEXT, "match": "ip", "mapping": {"type": "ip"}}},
                    {"text": {**OF_TEXT, "mapping": text}},
                ],
                "properties": {
                    "@timestamp": {"type": "date"},
                    COLUMNS: {"dynamic": False, "properties": columns},
                    "soc": {
                        "properties": {
                            "seq": {"type": "long"},
                            "shard": {"type": "integer"},
                            **{name: dict(KEYWORD) for name in ("source", "class", "parser")},
                        }
                    },
                },
            },
        },
    }


def actions(rows: Iterable[Mapping[str, Any]], shard: int, *, whole: bool = True) -> list[bytes]:
    """Return the ``_bulk`` actions that create *rows*: the same rows always make the same ids.

    whole: with the event's own fields, not its columns alone.
    """
    made: list[bytes] = []
    for row in rows:
        action = orjson.dumps({"create": place_of(row, shard)})
        try:
            document = orjson.dumps(_document(row, shard, whole=whole))
        except (orjson.JSONDecodeError, orjson.JSONEncodeError):  # too deep, or half a letter
            document = orjson.dumps(_document(row, shard, whole=False))
        made.append(action + b"\n" + document)
    return made


def place_of(row: Mapping[str, Any], shard: int) -> dict[str, str]:
    """Return where *row* is stored: index and id."""
    return {
        "_index": index_of(row["class"], row["ingested"].date()),
        "_id": f"{shard}-{row['seq']}",
    }


def is_of(row: Mapping[str, Any], columns: Mapping[str, Any]) -> bool:
    """Return whether the *columns* of a document are those of *row*."""
    return (columns["raw"], columns["ingested"]) == (row["raw"], micros(row["ingested"]))


def _document(row: Mapping[str, Any], shard: int, *, whole: bool) -> dict[str, Any]:
    columns = {name: value for name, value in row.items() if value is not None}
    columns |= {name: micros(row[name]) for name in MOMENTS}
    columns["moment"] = min(columns["ts"], columns["ingested"])
    event = document_of(row["raw"]) if whole and not row["reason"] else {}
    own = event.get("soc")
    names = {name: row[name] for name in ("seq", "source", "class", "parser") if row[name]}
    soc = {**(own if isinstance(own, dict) else {}), **names, "shard": shard}
    return {**event, "soc": soc, COLUMNS: columns}


def row_of(hit: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a document."""
    columns = hit["_source"][COLUMNS]
    row = {name: columns.get(name) for name in SCHEMA.names}
    return row | {name: moment_of(row[name]) for name in MOMENTS}


def table_of(hits: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return documents as a table of SCHEMA."""
    return pa.Table.from_pylist([row_of(hit) for hit in hits], SCHEMA)
