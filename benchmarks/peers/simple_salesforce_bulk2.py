"""
simple-salesforce's Bulk 2, run by its own environment: ``URL TOKEN OBJECT FOLDER download|query_all``.

``download`` writes the result pages as they come; ``query_all`` goes through csv's readers and writers, as its README
shows. Prints the rows.
"""

import csv
import io
import json
import sys
from pathlib import Path

from simple_salesforce import Salesforce

POLL_S = 0.3


def main(url: str, token: str, object_name: str, folder: str, how: str) -> None:
    sf = Salesforce(instance_url=url, session_id=token, version="59.0")
    described = getattr(sf, object_name).describe()["fields"]
    fields = [f["name"] for f in described if f["type"] not in ("address", "location", "base64")]
    soql = f"SELECT {','.join(fields)} FROM {object_name}"
    bulk = getattr(sf.bulk2, object_name)
    rows = 0
    if how == "download":
        rows = sum(
            page["number_of_records"] for page in bulk.download(soql, path=folder, wait=POLL_S)
        )
    else:
        with (Path(folder) / f"{object_name}.csv").open("w", newline="", encoding="utf-8") as out:
            writer = csv.DictWriter(out, fields)
            writer.writeheader()
            for page in bulk.query_all(soql, wait=POLL_S):
                for row in csv.DictReader(io.StringIO(page, newline="")):
                    writer.writerow(row)
                    rows += 1
    print(json.dumps({"rows": rows}))


if __name__ == "__main__":
    main(*sys.argv[1:])
