"""aio-sf's Bulk 2 export to Parquet, run by its own environment: ``URL TOKEN OBJECT FOLDER``. Prints the rows."""

import asyncio
import json
import sys
from pathlib import Path

from aio_sf import SalesforceClient
from aio_sf.api.auth.static_token import StaticTokenAuth
from aio_sf.exporter import bulk_query, get_bulk_fields, write_query_to_parquet

POLL_S = 0.3


async def main(url: str, token: str, object_name: str, folder: str) -> None:
    async with SalesforceClient(auth_strategy=StaticTokenAuth(url, token)) as client:
        described = await client.describe.sobject(object_name)
        fields = await get_bulk_fields(described["fields"])
        soql = f"SELECT {','.join(field['name'] for field in fields)} FROM {object_name}"
        result = await bulk_query(client, soql, all_rows=True, poll_interval=POLL_S)
        await write_query_to_parquet(
            result, str(Path(folder) / f"{object_name}.parquet"), fields_metadata=fields
        )
        print(json.dumps({"rows": len(result)}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
