"""Folders and files that only their owner may open. On Windows the user's profile sees to that."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def private_folder(path: Path) -> Path:
    """
    The folder, created with all its missing parents for this user alone (mode 0700).

    A folder that exists keeps its mode, since somebody may have opened it to a group on purpose;
    an empty one does not: it was made for us a moment ago, with the shell's usual mode.

    Raises:
        OSError: it cannot be created.
    """
    missing = []
    folder = path
    while not folder.is_dir() and folder != folder.parent:  # a drive of Windows has no parent
        missing.append(folder)
        folder = folder.parent
    if not missing and not any(path.iterdir()):
        with suppress(PermissionError):  # somebody else's, lent to us
            path.chmod(0o700)
    for folder in reversed(missing):
        # Another process may be creating the same folder. A file in the way is an error.
        folder.mkdir(mode=0o700, exist_ok=True)
    return path


def private_file(path: Path) -> Path:
    """
    The file, created empty for this user alone (mode 0600) unless it exists.

    Raises:
        OSError: it cannot be created.
    """
    path.touch(mode=0o600, exist_ok=True)
    return path
