"""A demo org that is backed up, damaged, and restored: what tests of restores share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from sfnb import engine
from sfnb.connection import Connection
from tests.conftest import RunningOrg

DATA = "/services/data/v66.0"

_EMPTY_BIN = (
    '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Header>'
    '<SessionHeader xmlns="urn:partner.soap.sforce.com"><sessionId>{token}</sessionId>'
    '</SessionHeader></e:Header><e:Body><emptyRecycleBin xmlns="urn:partner.soap.sforce.com">'
    "{ids}</emptyRecycleBin></e:Body></e:Envelope>"
)


@dataclass
class World:
    """An org and sfnb connected to it."""

    org: RunningOrg
    mine: Connection

    def rows(self, soql: str, *, is_all: bool = False) -> list[dict[str, Any]]:
        """All records of a query."""
        path = f"{DATA}/{'queryAll' if is_all else 'query'}"
        page = self.org.get(path, params={"q": soql}).json()
        rows = list(page["records"])
        while not page["done"]:
            page = self.org.get(page["nextRecordsUrl"]).json()
            rows += page["records"]
        for row in rows:
            row.pop("attributes")
        return rows

    def ids(self, name: str, *, limit: int, where: str = "") -> list[str]:
        condition = f" WHERE {where}" if where else ""
        soql = f"SELECT Id FROM {name}{condition} ORDER BY Id LIMIT {limit}"
        return [row["Id"] for row in self.rows(soql)]

    def backup(self, *objects: str) -> str:
        summary = engine.run(self.mine, engine.backup(objects=objects, files=False, metadata=False))
        assert summary["state"] == "completed"
        return str(summary["snapshot"])

    def delete(self, ids: Sequence[str], *, hard: bool = False) -> None:
        for start in range(0, len(ids), 200):
            some = ids[start : start + 200]
            answer = self.org.send(
                "DELETE", f"{DATA}/composite/sobjects", params={"ids": ",".join(some)}
            )
            assert all(row["success"] for row in answer.json()), answer.text
            if hard:
                self.empty_bin(some)

    def empty_bin(self, ids: Sequence[str]) -> None:
        texts = "".join(f"<ids>{one}</ids>" for one in ids)
        body = _EMPTY_BIN.format(token=self.org.access_token, ids=texts)
        answer = requests.post(
            f"{self.org.url}/services/Soap/u/66.0",
            data=body,
            headers={"Content-Type": "text/xml", "SOAPAction": '""'},
            timeout=60,
        )
        assert answer.ok and "<success>false" not in answer.text, answer.text

    def update(self, name: str, record_id: str, **values: Any) -> None:
        answer = self.org.send("PATCH", f"{DATA}/sobjects/{name}/{record_id}", json=values)
        assert answer.status_code == 204, answer.text

    def restore(self, **options: Any) -> dict[str, Any]:
        """The summary of a restore of the latest snapshot; ``run`` options by their names."""
        how = {k: options.pop(k) for k in ("on_pause", "stop", "emit") if k in options}
        return engine.run(self.mine, engine.restore(**options), **how)


def read(path: str | None) -> str:
    """A file's text; empty for none."""
    return Path(path).read_text(encoding="utf-8") if path else ""
