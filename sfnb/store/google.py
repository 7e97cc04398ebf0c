"""
Google Cloud Storage: whether there is anything to log in with, before the first request.

Without credentials, the libraries ask Google's metadata server again and again, for minutes and
without a word.
"""

from __future__ import annotations

import http.client
import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path

import pyarrow.fs as pafs

from sfnb.errors import CallerError

CREDENTIALS = "GOOGLE_APPLICATION_CREDENTIALS"

EMULATOR = "CLOUD_STORAGE_EMULATOR_ENDPOINT"
"""Where Arrow reads instead; nobody logs in there."""

METADATA_HOST = "GCE_METADATA_HOST"
METADATA_ADDRESS = "169.254.169.254"
"""Of each machine in Google's cloud; its name would have to be looked up."""

ANSWER_S = 2.0

PATIENCE = timedelta(minutes=3)
"""How long Arrow tries to read, as in the other object stores; by itself it would for 15 minutes."""


def google_filesystem(environ: Mapping[str, str]) -> pafs.GcsFileSystem:
    """
    What Arrow reads through.

    Raises:
        CallerError: there is nothing to log in with.
    """
    if not has_credentials(environ, answers):
        raise CallerError(
            f"a gs:// store needs Google's credentials, and there are none here: set {CREDENTIALS} to "
            "the key file of a service account, or run `gcloud auth application-default login`."
        )
    return pafs.GcsFileSystem(retry_time_limit=PATIENCE)


def has_credentials(environ: Mapping[str, str], is_google: Callable[[str], bool]) -> bool:
    """
    Whether both libraries, Arrow's and that which writes, find something to log in with.

    Args:
        is_google: whether a machine of Google's answers at this address; asked last.
    """
    if environ.get(CREDENTIALS) or environ.get(EMULATOR) or login_file(environ).is_file():
        return True
    return is_google(environ.get(METADATA_HOST) or METADATA_ADDRESS)


def login_file(environ: Mapping[str, str]) -> Path:
    """Where `gcloud auth application-default login` leaves what it got."""
    name = Path("gcloud", "application_default_credentials.json")
    if os.name == "nt":
        return Path(environ.get("APPDATA", "")) / name
    return Path(environ.get("HOME", "")) / ".config" / name


@cache
def answers(host: str) -> bool:
    """Whether Google's metadata server is there; other clouds have one at the same address."""
    try:
        connection = http.client.HTTPConnection(host, timeout=ANSWER_S)
        try:
            connection.request("GET", "/", headers={"Metadata-Flavor": "Google"})
            return connection.getresponse().getheader("Metadata-Flavor") == "Google"
        finally:
            connection.close()
    except (OSError, http.client.HTTPException):
        return False
