"""Files and folders of a local disk: private, durable, and new where they must be."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path

TEMPORARY = ".tmp-"
"""
How the names of unfinished files begin, so that nobody reads them and `verify` knows them as
orphans.
"""

FOLDER_MODE, FILE_MODE = 0o700, 0o600
"""Records are their user's alone. Windows has its own rights and ignores these."""

NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)

NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
"""What a disk without hard links says."""


def temporary_beside(final: Path) -> Path:
    """A free name for a file that is not finished."""
    return final.with_name(f"{TEMPORARY}{secrets.token_hex(6)}-{final.name}"[:200])


def link_new(temporary: Path, final: Path) -> None:
    """
    Give a file its name, unless it is taken.

    Raises:
        FileExistsError: it is.
    """
    if os.name == "nt":
        temporary.rename(final)  # Windows renames over nothing
        return
    try:
        os.link(temporary, final)
    except FileExistsError:
        raise
    except OSError as err:
        if err.errno not in NO_LINKS:
            raise
        # A disk without links (some network shares): whoever makes the name has it.
        os.close(os.open(final, NEW_FILE, FILE_MODE))
        temporary.replace(final)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, all of them private."""
    missing = [folder, *folder.parents]
    for at, path in enumerate(missing):
        if path.is_dir():
            missing = missing[:at]
            break
    for path in reversed(missing):
        path.mkdir(mode=FOLDER_MODE, exist_ok=True)


def sync_folder(folder: Path) -> None:
    """Make a rename durable. Windows cannot open folders and needs no help."""
    if os.name == "nt":
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
