"""
Arrow's words for the variables by which the libraries that write to Azure are configured.

Without anything to log in with, Arrow's library does not raise: it ends the process. So that is looked
for before.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import pyarrow.fs as pafs

from sfnb.errors import CallerError
from sfnb.store import metadata_server

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


OF_SERVICES = ("AZURE_FEDERATED_TOKEN_FILE", "IDENTITY_ENDPOINT", "MSI_ENDPOINT")
"""What Azure sets in its own services, where an identity is given."""

TOKEN = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://storage.azure.com/"  # noqa: S105 - a path

YES = ("1", "true", "t", "yes", "y")


def azure_filesystem() -> pafs.AzureFileSystem:
    """
    What Arrow reads through, as the environment says.

    Raises:
        CallerError: no account is named, or there is nothing to log in with.
    """
    options = azure_options(os.environ)
    if not has_login(os.environ, options, has_identity):
        raise CallerError(
            "an az:// store needs something to log in with, and there is nothing here: set "
            "AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN, or AZURE_CLIENT_ID, "
            "AZURE_CLIENT_SECRET and AZURE_TENANT_ID."
        )
    return pafs.AzureFileSystem(**options)


def has_login(
    environ: Mapping[str, str], options: Mapping[str, str], is_given: Callable[[], bool]
) -> bool:
    """
    Whether there is something to log in with.

    Args:
        is_given: whether this machine of Azure's has an identity; asked last.
    """
    if {"account_key", "sas_token"} & set(options):
        return True
    if {"client_id", "client_secret", "tenant_id"} <= set(options):
        return True
    if any(environ.get(name) for name in OF_SERVICES) or _is_on(
        environ, "AZURE_STORAGE_USE_EMULATOR"
    ):
        return True
    if _is_on(environ, "AZURE_USE_AZURE_CLI") and shutil.which("az"):
        return True
    return is_given()


def has_identity(host: str = metadata_server.ADDRESS) -> bool:
    """Whether the machine is Azure's, and was given an identity."""
    answer = metadata_server.asked(host, TOKEN, "Metadata", "true")
    return answer is not None and answer.status == 200


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
    if _is_on(environ, "AZURE_STORAGE_USE_EMULATOR"):
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


def _is_on(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "").lower() in YES


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((environ[name] for name in names if environ.get(name)), "")
