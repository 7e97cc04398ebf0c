"""
The floor: the least that turns one object's Bulk API 2.0 result pages into typed Parquet. One thread, no promises.

    python benchmarks/floor.py URL TOKEN OBJECT OUT.parquet

No retries, no quota, no resuming, no checksums; what sfnb adds is measured against it.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from http.client import HTTPResponse
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

API = "/services/data/v66.0"
PAGE_ROWS = 250_000
BLOCK_BYTES = 4 << 20
POLL_S = 0.3

NUMBER = pa.float64()
ARROW_TYPES = {
    "boolean": pa.bool_(),
    "int": pa.int64(),
    "double": NUMBER,
    "currency": NUMBER,
    "percent": NUMBER,
    "date": pa.date32(),
    "datetime": pa.timestamp("us", "UTC"),
}


def main(url: str, token: str, object_name: str, out: str) -> None:
    def send(path: str, body: Any = None, accept: str = "application/json") -> HTTPResponse:
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Accept": accept,
        }
        data = json.dumps(body).encode() if body is not None else None
        answer: HTTPResponse = urllib.request.urlopen(
            urllib.request.Request(url + API + path, data, headers)
        )
        return answer

    described = json.load(send(f"/sobjects/{object_name}/describe"))["fields"]
    types = {
        field["name"]: ARROW_TYPES.get(field["type"], pa.string())
        for field in described
        if field["type"] not in ("address", "location", "base64")
    }
    soql = f"SELECT {','.join(types)} FROM {object_name}"
    job = json.load(send("/jobs/query", {"operation": "queryAll", "query": soql}))["id"]
    while json.load(send(f"/jobs/query/{job}"))["state"] != "JobComplete":
        time.sleep(POLL_S)
    options = pacsv.ConvertOptions(
        column_types=types,
        strings_can_be_null=True,
        null_values=[""],
        true_values=["true"],
        false_values=["false"],
    )
    rows, locator = 0, ""
    with pq.ParquetWriter(out, pa.schema(list(types.items())), compression="zstd") as writer:
        while locator != "null":
            place = f"&locator={locator}" if locator else ""
            page = send(
                f"/jobs/query/{job}/results?maxRecords={PAGE_ROWS}{place}", accept="text/csv"
            )
            locator = page.headers["Sforce-Locator"]
            batches = pacsv.open_csv(
                page,
                read_options=pacsv.ReadOptions(block_size=BLOCK_BYTES),
                parse_options=pacsv.ParseOptions(newlines_in_values=True),
                convert_options=options,
            )
            for batch in batches:
                writer.write_batch(batch.select(list(types)))
                rows += batch.num_rows
    print(json.dumps({"rows": rows}))


if __name__ == "__main__":
    main(*sys.argv[1:])
