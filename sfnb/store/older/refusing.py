"""What cannot be changed before it is upgraded."""

from __future__ import annotations

from sfnb.errors import CallerError
from sfnb.store.files import Files


def refuse_older(files: Files, object_name: str = "") -> None:
    """
    Nothing may be removed from a store that has rows of format 1 or 2: what a hold is on is looked
    for in today's tables alone.

    Args:
        object_name: only this object's rows count, in any case; empty: any.

    Raises:
        CallerError: it has such rows.
    """
    for name in files.names("tables", folders=True):
        if object_name.lower() in ("", name.lower()):
            raise CallerError(
                f"{name} is stored in the format of an older sfnb; run `sfnb store upgrade` first."
            )
