"""Arrow's words for the variables by which the libraries that write to Azure are configured. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from sfnb.errors import CallerError

NAMES = {
    "account_key": ("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY"),
    "sas_token": ("AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_SAS_KEY"),
    "client_id": ("AZURE_STORAGE_CLIENT_ID", "AZURE_CLIENT_ID"),
    "client_secret": ("AZURE_STORAGE_CLIENT_SECRET", "AZURE_CLIENT_SECRET"),
    "tenant_id": ("AZURE_STORAGE_TENANT_ID", "AZURE_TENANT_ID"),
}
"""object_store's names of what Arrow takes as options; the first one that is set counts."""

ENDPOINT = ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT")

AZURITE = "http://127.0.0.1:10000"
"""Where object_store looks for Microsoft's emulator, if AZURE_STORAGE_USE_EMULATOR is set."""


def azure_options(environ: Mapping[str, str]) -> dict[str, str]:
    """
    What ``pyarrow.fs.AzureFileSystem`` takes, so that reading goes where writing does.

    Raises:
        CallerError: no account is named.
    """
    account = environ.get("AZURE_STORAGE_ACCOUNT_NAME")
    if not account:
        raise CallerError(
            "an az:// store needs the environment variable AZURE_STORAGE_ACCOUNT_NAME."
        )
    found = {option: _first(environ, names) for option, names in NAMES.items()}
    if found["account_key"]:  # Arrow takes one way to log in, and the libraries prefer this one
        found = {"account_key": found["account_key"]}
    elif found["sas_token"]:
        found = {"sas_token": found["sas_token"]}
    options = {name: value for name, value in found.items() if value}
    address = _first(environ, ENDPOINT)
    if environ.get("AZURE_STORAGE_USE_EMULATOR", "").lower() in ("1", "true", "t", "yes", "y"):
        address = environ.get("AZURITE_BLOB_STORAGE_URL") or AZURITE
    return {"account_name": account} | options | _endpoint(account, address)


def _endpoint(account: str, address: str) -> dict[str, str]:
    """
    Arrow puts the account before a host that begins with a dot (``.blob.core.windows.net``), and
    behind any other, as Azurite has it.
    """
    if not address:
        return {}
    parts = urlsplit(address)
    blob = parts.netloc.removeprefix(account)
    lake = blob.replace(".blob.", ".dfs.", 1)
    return {
        "blob_storage_authority": blob,
        "blob_storage_scheme": parts.scheme,
        "dfs_storage_authority": lake,
        "dfs_storage_scheme": parts.scheme,
    }


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((environ[name] for name in names if environ.get(name)), "")
