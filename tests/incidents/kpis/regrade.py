"""Recompute figures from exported rows in plain SQL. Imports nothing of the product.

Reads one JSON document on stdin, ``{"rows": {kpi: [row, …]}}``, and writes ``{kpi: value}``: each
by a query of its own, written apart from those that the product states.
"""

import json
import sqlite3
import sys

MEDIAN = """
    SELECT max(v) FROM (SELECT v FROM ({values}) ORDER BY v
                        LIMIT (SELECT (count(*) + 1) / 2 FROM ({values})))
"""


def median(start: str, end: str) -> str:
    values = f"SELECT ({end} - {start}) / 1e6 AS v FROM t WHERE {start} NOT NULL AND {end} NOT NULL"
    return MEDIAN.format(values=values)


def percentile(column: str, count: str, percent: int) -> str:
    return f"""
        SELECT min(a.{column}) FROM t a
        WHERE (SELECT sum(b.{count}) FROM t b WHERE b.{column} <= a.{column}) * 100
              >= {percent} * (SELECT sum({count}) FROM t)
    """


QUERIES = {
    "mttd": median("occurred_us", "detected_us"),
    "mttd-ingest": median("occurred_us", "ingested_us"),
    "mttd-detection": median("ingested_us", "detected_us"),
    "mtta": median("detected_us", "acknowledged_us"),
    "mttc": median("detected_us", "contained_us"),
    "mttr": median("occurred_us", "resolved_us"),
    "precision": """
        SELECT count(DISTINCT CASE verdict WHEN 'true_positive' THEN incident END) * 1.0
               / count(DISTINCT CASE WHEN verdict IN ('true_positive', 'false_positive')
                                THEN incident END) FROM t
    """,
    "false-positive-rate": "SELECT sum(verdict = 'false_positive') * 1.0 / count(*) FROM t",
    "backlog": "SELECT count(DISTINCT incident) FROM t",
    "automation-rate": "SELECT sum(automated) * 1.0 / count(*) FROM t",
    "source-gaps": "SELECT count(DISTINCT alert) FROM t",
    "detector-gaps": "SELECT count(DISTINCT alert) FROM t",
    "conversion-rate": "SELECT sum(gave) * 1.0 / count(*) FROM t",
    "transaction-success": "SELECT count(on_chain_us) * 1.0 / count(*) FROM t",
    "average-finality": f"SELECT ({percentile('took_ms', 'gifts', 50)}) / 1000.0",
    "suspicious-rate": "SELECT sum(suspicious) * 1.0 / count(*) FROM t",
    "suspicious-per-hour": "SELECT alerts FROM t ORDER BY alerts DESC LIMIT 1",
    "inference-latency-p95": percentile("took_ms", "windows", 95),
    "event-lag-max": "SELECT lag_us / 1e6 FROM t ORDER BY lag_us DESC LIMIT 1",
    "api-error-rate": "SELECT total(errors) / total(requests) FROM t",
    "active-users": "SELECT count(DISTINCT actor) FROM t",
    "total-transactions": "SELECT total(transactions) FROM t",
    "high-value-share": "SELECT sum(high_value) * 1.0 / count(DISTINCT wallet) FROM t",
}


def value_of(rows: list[dict[str, object]], query: str) -> object:
    store = sqlite3.connect(":memory:")
    names = list(rows[0])
    store.execute(f"CREATE TABLE t ({', '.join(names)})")
    marks = ", ".join("?" for _ in names)
    store.executemany(f"INSERT INTO t VALUES ({marks})", [[row[n] for n in names] for row in rows])
    (found,) = store.execute(query).fetchone()
    store.close()
    return found


def main() -> None:
    given = json.load(sys.stdin)["rows"]
    json.dump(
        {kpi: value_of(rows, QUERIES[kpi]) for kpi, rows in given.items() if rows}, sys.stdout
    )


if __name__ == "__main__":
    main()
