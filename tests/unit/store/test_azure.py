"""Reading from Azure goes where writing does."""

from __future__ import annotations

import os

import pytest

from sfnb.errors import CallerError
from sfnb.store.azure import azure_options, has_identity, has_login
from sfnb.store.files import Files
from tests.unit.store.metadata import Metadata, closed

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


def test_without_a_login_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrow's library would end the process, a notebook's kernel with it."""
    for name in [name for name in os.environ if name.startswith("AZURE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "acme")
    monkeypatch.setattr("sfnb.store.azure.has_identity", lambda: has_identity(closed()))
    with pytest.raises(CallerError, match="AZURE_STORAGE_ACCOUNT_KEY"):
        Files("az://backups/salesforce")


@pytest.mark.parametrize(
    ("told", "is_enough"),
    [
        ({"AZURE_STORAGE_ACCOUNT_KEY": "k"}, True),
        ({"AZURE_STORAGE_SAS_TOKEN": "s"}, True),
        ({"AZURE_CLIENT_ID": "c", "AZURE_CLIENT_SECRET": "s", "AZURE_TENANT_ID": "t"}, True),
        ({"AZURE_CLIENT_ID": "c"}, False),
        ({"AZURE_FEDERATED_TOKEN_FILE": "f"}, True),
        ({"AZURE_STORAGE_USE_EMULATOR": "true"}, True),
        ({}, False),
    ],
)
def test_what_is_enough_to_log_in(told: dict[str, str], is_enough: bool) -> None:
    """A machine of Azure's is asked whether it has an identity only where nothing else is set."""
    environ = {"AZURE_STORAGE_ACCOUNT_NAME": "acme"} | told
    options = azure_options(environ)
    assert has_login(environ, options, lambda: False) == is_enough
    assert has_login(environ, options, lambda: True)


def test_a_machine_has_an_identity_or_none(metadata: Metadata) -> None:
    """Azure answers 400 where no identity was given to the machine; other clouds know no such address."""
    assert has_identity(metadata({}, 200))
    assert not has_identity(metadata({}, 400))
    assert not has_identity(closed())
