"""
Google Cloud Storage: whether there is anything to log in with, before the first request.

Without credentials, the libraries ask Google's metadata server again and again, for minutes and
without a word.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pyarrow.fs as pafs

from sfnb.errors import CallerError
from sfnb.store import metadata_server

CREDENTIALS = "GOOGLE_APPLICATION_CREDENTIALS"

EMULATOR = "CLOUD_STORAGE_EMULATOR_ENDPOINT"
"""Where Arrow reads instead; nobody logs in there."""

METADATA_HOST = "GCE_METADATA_HOST"

PATIENCE = timedelta(minutes=3)
"""How long Arrow tries to read, as in the other object stores; by itself it would for 15 minutes."""


def google_filesystem(environ: Mapping[str, str]) -> pafs.GcsFileSystem:
    """
    What Arrow reads through.

    Raises:
        CallerError: there is nothing to log in with.
    """
    if not has_credentials(environ, is_google):
        raise CallerError(
            f"a gs:// store needs Google's credentials, and there are none here: set {CREDENTIALS} to "
            "the key file of a service account, or run `gcloud auth application-default login`."
        )
    return pafs.GcsFileSystem(retry_time_limit=PATIENCE)


def has_credentials(environ: Mapping[str, str], is_there: Callable[[str], bool]) -> bool:
    """
    Whether both libraries, Arrow's and that which writes, find something to log in with.

    Args:
        is_there: whether a machine of Google's answers at this address; asked last.
    """
    if environ.get(CREDENTIALS) or environ.get(EMULATOR) or login_file(environ).is_file():
        return True
    return is_there(environ.get(METADATA_HOST) or metadata_server.ADDRESS)


def login_file(environ: Mapping[str, str]) -> Path:
    """Where `gcloud auth application-default login` leaves what it got."""
    name = Path("gcloud", "application_default_credentials.json")
    if os.name == "nt":
        return Path(environ.get("APPDATA", "")) / name
    return Path(environ.get("HOME", "")) / ".config" / name


def is_google(host: str) -> bool:
    """Whether Google's metadata server is there; other clouds have one at the same address."""
    answer = metadata_server.asked(host, "/", "Metadata-Flavor", "Google")
    return answer is not None and answer.headers.get("metadata-flavor") == "Google"
