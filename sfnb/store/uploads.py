"""
Writing into an object store: whole or not at all, and, where it must be new, never over another's.

The library is obstore, which speaks S3, GCS and Azure through the same Rust code as Delta: one set
of variables configures both, and server-side encryption set there goes for every file. Arrow's own
S3 client, which reads here, knows neither conditional puts nor how to abandon an upload.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sfnb.errors import StoreError

if TYPE_CHECKING:
    from obstore import WritableFile
    from obstore.store import ObjectStore

PIECE_BYTES = 8 << 20
"""What is uploaded at a time; S3 takes 10,000 pieces of at least 5 MB."""

UNSAFE = "AWS_S3_ALLOW_UNSAFE_RENAME"
"""The variable by which Delta commits to S3 without a condition."""

LOSSY = (
    "the store {root} is not used, because two backups could overwrite each other's commits there: "
    "{why}. Choose a bucket with conditional writes (Amazon S3, Google Cloud Storage, Azure, MinIO, "
    "R2, Ceph and others have them), or a folder."
)


class Uploads:
    """
    What writes below one address. Holds nothing that changes but what it has found out; threads
    may share it.
    """

    def __init__(self, root: str) -> None:
        try:
            from obstore.store import from_url
        except ModuleNotFoundError as err:
            raise StoreError(
                "A store in an object store needs its driver: pip install 'sfnb[s3]'."
            ) from err
        self._root = root
        self._is_checked = False
        with _as_os_errors():
            self._store: ObjectStore = from_url(root)

    def put(self, path: str, content: bytes, *, is_new: bool = False) -> None:
        """
        Write a file.

        Args:
            is_new: only where nobody has put one.

        Raises:
            FileExistsError: somebody has. (Or this very call, if its answer was lost and it was
                sent again: look at what is stored.)
        """
        import obstore

        with _as_os_errors():
            obstore.put(self._store, path, content, mode="create" if is_new else "overwrite")

    @contextmanager
    def open(self, path: str) -> Iterator[WritableFile]:
        """A file that is there when the block ends well; else its upload is abandoned."""
        import obstore

        with _as_os_errors():
            writer = obstore.open_writer(self._store, path, buffer_size=PIECE_BYTES)
            with writer as stream:
                yield stream

    def refuse_lossy(self) -> None:
        """
        Look once whether a condition is honoured: a file that must be new, put twice.

        Raises:
            StoreError: the second put went through, or conditions are switched off.
        """
        if self._is_checked:
            return
        if os.environ.get(UNSAFE, "").lower() in ("1", "true", "t", "yes", "y"):
            raise StoreError(LOSSY.format(root=self._root, why=f"{UNSAFE} is set"))
        path = f".tmp-probe-{secrets.token_hex(6)}"
        try:
            self.put(path, b"1", is_new=True)
            self.put(path, b"2", is_new=True)
        except FileExistsError:
            self._is_checked = True
        except NotImplementedError as err:
            raise StoreError(LOSSY.format(root=self._root, why=str(err))) from err
        finally:
            with suppress(OSError):
                self._delete(path)
        if not self._is_checked:
            why = "it does not honour conditional puts (If-None-Match)"
            raise StoreError(LOSSY.format(root=self._root, why=why))

    def keeps_old_versions(self) -> bool:
        """
        Whether the place keeps what is deleted or overwritten, as far as it says so (S3 and Azure
        do). Cost: two requests.
        """
        import obstore

        path = f".tmp-probe-{secrets.token_hex(6)}"
        with _as_os_errors():
            try:
                version = obstore.put(self._store, path, b"1").get("version")
            finally:
                with suppress(obstore.exceptions.BaseError):
                    obstore.delete(self._store, path)
        # A bucket whose versioning was switched off again says "null". Google's always have a number.
        return version not in (None, "", "null") and not self._root.startswith("gs:")

    def _delete(self, path: str) -> None:
        import obstore

        with _as_os_errors():
            obstore.delete(self._store, path)


@contextmanager
def _as_os_errors() -> Iterator[None]:
    """Errors of the library as those of the operating system, which ``files`` translates."""
    from obstore import exceptions

    try:
        yield
    except exceptions.AlreadyExistsError as err:
        raise FileExistsError(str(err)) from err
    except exceptions.NotSupportedError as err:
        raise NotImplementedError("conditional puts are switched off") from err
    except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as err:
        raise PermissionError(13, "permission denied") from err
    except exceptions.BaseError as err:
        raise OSError(_short(str(err))) from err


def _short(text: str) -> str:
    """The library's first line: what follows is its own structures, at length."""
    return text.strip().partition("\n")[0][:400]
