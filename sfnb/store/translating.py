"""Errors of the file system, of object stores, Arrow and Delta, as a sentence with what to do next."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pyarrow as pa
from deltalake.exceptions import DeltaError

from sfnb.errors import StoreError

REASONS: Mapping[int, str] = {
    errno.ENOSPC: "the disk is full; make room",
    errno.EDQUOT: "your quota on this disk is used up; make room",
    errno.EACCES: "permission denied; give this user the right to write there, or choose another store",
    errno.EPERM: "permission denied; give this user the right to write there, or choose another store",
    errno.EROFS: "the file system is read-only; make it writable, or choose another store",
    errno.ENOTDIR: "a part of the path is a file, not a folder; choose another store",
    errno.ENAMETOOLONG: "the path is too long for this file system; choose a store nearer to the root",
}


S3_REASONS: Mapping[str, str] = {
    "AccessDenied": "permission denied; give this user the right to write there, or choose another store",
    "NoSuchBucket": "there is no such bucket; create it, or choose another store",
    "SlowDown": "the object store takes no more requests for now; resume later",
    "ServiceUnavailable": "the object store is away; resume later",
    "error sending request": "the object store does not answer; resume when it does",
}
"""Codes of S3, which stand in the text of Arrow's, Delta's and obstore's errors."""


def _reason(err: BaseException) -> str:
    """
    The reason in words for people. Delta's errors name the operating system's in their text only.
    """
    number = err.errno if isinstance(err, OSError) else None
    text = " ".join(str(err).split())
    for code_of_s3, words in S3_REASONS.items():
        if code_of_s3 in text:
            return words
    for code, words in REASONS.items():
        if number == code or f"os error {code})" in text or f"[errno {code}]" in text.lower():
            return words
    return f"{text or type(err).__name__}; see `sfnb verify`"


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """
    Turns errors of the file system, Arrow and Delta into a StoreError: could not ``doing``, and the
    reason.
    """
    try:
        yield
    except (OSError, DeltaError, pa.ArrowException) as err:
        raise StoreError(f"could not {doing}: {_reason(err)}.") from err
    except BaseException as err:
        # Delta's Rust code panics on some damaged logs; that BaseException's class cannot be
        # imported.
        if type(err).__name__ != "PanicException":
            raise
        raise StoreError(
            f"could not {doing}: the file is damaged ({str(err)[:200]}); see `sfnb verify`."
        ) from err
