"""All bodies of a snapshot, written into a folder under the names of their files."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from sfnb.errors import CallerError
from sfnb.store.bodies.content import Contents
from sfnb.store.bodies.fields import Body
from sfnb.store.bodies.listing import ListedBody
from sfnb.store.files import Files
from sfnb.store.translating import translated

MOST_NAME_BYTES = 200
"""Of a file's name: file systems take 255, and an Id may have to be added."""

MOST_ENDING = 20
"""Characters of an ending that is kept where a name is cut."""

_STRANGE = re.compile(r'[\x00-\x1f\x7f<>:"|?*]')
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
"""Names that Windows keeps for devices, whatever their ending."""


def write_bodies(
    files: Files, listed: Iterable[ListedBody], folder: Path
) -> Iterator[tuple[ListedBody, Path | None]]:
    """
    Write each body as ``OBJECT/name`` into a folder that is new or empty; where each one is, None
    for a missing one.

    Raises:
        CallerError: the folder has something in it, or cannot be made.
        StoreError: a content is damaged or gone, or a file cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CallerError(f"{folder} is not empty. Name a new folder.")
    contents, taken = Contents(files), set[str]()
    for one in listed:
        if not one.sha256:
            yield one, None
            continue
        target = folder.joinpath(*distinct_name(one.body, taken).split("/"))
        with translated(f"make {target.parent}"):
            target.parent.mkdir(parents=True, exist_ok=True)
        contents.write_to(one.sha256, target)
        yield one, target


def distinct_name(body: Body, taken: set[str]) -> str:
    """
    ``OBJECT/name``, with the record's Id in it where another body has that name already: names that
    differ in case or in their Unicode form only are one to macOS and Windows.

    Pure but for ``taken``, which keeps what was given.
    """
    name = plain_name(body.name) or body.id
    stem, ending = _split(name)
    tries = (
        name,
        f"{stem} {body.id}{ending}",
        f"{stem} {body.id} {plain_name(body.field)}{ending}",
    )
    for found in tries:
        path = f"{body.object_name}/{found}"
        key = unicodedata.normalize("NFC", path).casefold()
        if key not in taken:
            taken.add(key)
            return path
    raise CallerError(f"{body.object_name} {body.id} has two bodies in {body.field}.")


def plain_name(name: str) -> str:
    """A name that each file system takes, of what a record says; empty where nothing is left. Pure."""
    last = re.split(r"[/\\]", name)[-1]
    clean = _STRANGE.sub("_", last).strip(" ").rstrip(". ")
    if _DEVICE.match(clean):
        clean = f"_{clean}"
    stem, ending = _split(clean)
    room = MOST_NAME_BYTES - len(ending.encode())
    cut = stem.encode(errors="replace")[:room].decode(errors="ignore")
    return (cut + ending).rstrip(". ")


def _split(name: str) -> tuple[str, str]:
    stem, dot, ending = name.rpartition(".")
    return (stem, dot + ending) if stem and len(ending) <= MOST_ENDING else (name, "")
