"""Reading from Azure goes where writing does."""

from __future__ import annotations

import pytest

from sfnb.errors import CallerError
from sfnb.store.azure import azure_options

KEY = {"AZURE_STORAGE_ACCOUNT_NAME": "acme", "AZURE_STORAGE_ACCOUNT_KEY": "k"}


def test_an_account_and_one_way_to_log_in() -> None:
    """The variables of the libraries that write are enough; a key counts before what else is set."""
    assert azure_options(KEY) == {"account_name": "acme", "account_key": "k"}
    assert azure_options(KEY | {"AZURE_STORAGE_SAS_TOKEN": "s"}) == azure_options(KEY)
    named = {"AZURE_STORAGE_ACCOUNT_NAME": "acme", "AZURE_STORAGE_SAS_TOKEN": "s"}
    assert azure_options(named)["sas_token"] == "s"
    with pytest.raises(CallerError, match="AZURE_STORAGE_ACCOUNT_NAME"):
        azure_options({})


@pytest.mark.parametrize(
    ("told", "blob", "lake"),
    [
        ({"AZURE_STORAGE_ENDPOINT": "http://127.0.0.1:1/acme"}, "127.0.0.1:1", "127.0.0.1:1"),
        (
            {"AZURE_ENDPOINT": "https://acme.blob.core.chinacloudapi.cn"},
            ".blob.core.chinacloudapi.cn",
            ".dfs.core.chinacloudapi.cn",
        ),
        ({"AZURE_STORAGE_USE_EMULATOR": "true"}, "127.0.0.1:10000", "127.0.0.1:10000"),
    ],
    ids=["path", "host", "emulator"],
)
def test_an_endpoint_is_that_of_the_writers(told: dict[str, str], blob: str, lake: str) -> None:
    """Another cloud than the public one, and Microsoft's emulator."""
    found = azure_options(KEY | told)
    assert (found["blob_storage_authority"], found["dfs_storage_authority"]) == (blob, lake)
    assert found["blob_storage_scheme"] in told.get("AZURE_ENDPOINT", "http://")
