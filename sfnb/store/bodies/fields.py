"""Which fields of an object hold bodies, and what its records say about them. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

STAMPS = ("SystemModstamp", "LastModifiedDate", "CreatedDate")

SIZES: Mapping[str, tuple[str, ...]] = {
    "VersionData": ("ContentSize",),
    "Body": ("BodyLength",),
}
"""
Fields with a body's size (Object Reference, ContentVersion, Attachment, Document, StaticResource).
Any other body may have one of the name ``…Length``, as EventLogFile.LogFile has.
"""

CHECKSUM = "Checksum"
"""MD5 of ContentVersion.VersionData (Object Reference)."""

LOCATION, URL = "ContentLocation", "ContentUrl"
OUTSIDE = ("E", "L")
"""ContentLocation of a file that is kept outside of Salesforce, or is a link: there is no body."""


@dataclass(frozen=True, slots=True)
class BodyField:
    """
    One field that holds bodies.

    Args:
        field: the base64 field.
        size, checksum, stamp, location, url: the record's fields that tell about it; empty: none.
        names: fields that make the file's name; the first one that has a value counts.
        extension: a field with the file's ending, for names that have none.
    """

    object_name: str
    field: str
    size: str = ""
    checksum: str = ""
    stamp: str = ""
    location: str = ""
    url: str = ""
    names: tuple[str, ...] = ()
    extension: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The fields of a record that ``body_of`` looks at."""
        own = (self.size, self.checksum, self.stamp, self.location, self.url, self.extension)
        return tuple(dict.fromkeys(name for name in ("Id", *own, *self.names) if name))


@dataclass(frozen=True, slots=True)
class Body:
    """
    A body as its record describes it.

    Args:
        field: the base64 field; of an image its rich-text field, a slash and its ``refid``.
        version: what tells this body of the record from the next one; see the package.
        size: in bytes; None: the record does not say.
        md5: hex, lower case; empty: the record does not say.
        name: of the file; may be empty.
        is_outside: there is no body by nature, because the file is kept elsewhere.
    """

    object_name: str
    id: str
    field: str
    version: str
    size: int | None
    md5: str
    name: str
    is_outside: bool = False


def body_fields(object_name: str, describe: Mapping[str, Any]) -> list[BodyField]:
    """The fields of type base64 in a describe answer."""
    listed = describe.get("fields")
    entries = [e for e in listed if isinstance(e, Mapping)] if isinstance(listed, Sequence) else []
    types = {str(e.get("name")): e.get("type") for e in entries}

    def known(*names: str) -> str:
        return next((name for name in names if name in types), "")

    return [
        BodyField(
            object_name,
            field,
            size=known(*SIZES.get(field, ()), f"{field}Length"),
            checksum=known(CHECKSUM) if field == "VersionData" else "",
            stamp=known(*STAMPS),
            location=known(LOCATION),
            url=known(URL, "Url"),
            names=tuple(n for n in ("PathOnClient", "Name", "Title") if n in types),
            extension=known("FileExtension", "Type"),
        )
        for field, kind in types.items()
        if kind == "base64"
    ]


IMAGES = re.compile(r"/servlet/rtaImage\?[^\s\"'<>]*?refid=(0EM[0-9A-Za-z]{12}(?:[0-9A-Za-z]{3})?)")
"""
The address of an image that was pasted into a rich-text field. The org serves it to browsers only;
its ``refid`` is what the REST resource takes (REST guide, Rich Text Image Retrieval).
"""


PICTURE = re.compile(r"(?:https?://[^\"'<>\s]*?)?/servlet/rtaImage\?[^\"'<>\s]*")
"""The whole address of such an image, as it stands in the text."""


def image_fields(describe: Mapping[str, Any]) -> tuple[str, ...]:
    """The rich-text fields in a describe answer: their HTML may name images."""
    listed = describe.get("fields")
    entries = [e for e in listed if isinstance(e, Mapping)] if isinstance(listed, Sequence) else []
    return tuple(str(e["name"]) for e in entries if e.get("extraTypeInfo") == "richtextarea")


def images_of(object_name: str, record_id: str, field: str, text: str) -> Iterator[Body]:
    """The images that a rich text shows, each once. Addresses in it are HTML (``&amp;``)."""
    for refid in dict.fromkeys(IMAGES.findall(html.unescape(text))):
        yield Body(object_name, record_id, f"{field}/{refid}", refid, None, "", refid)


def body_of(of: BodyField, record: Mapping[str, Any]) -> Body:
    """What a record of a snapshot describes its body. Moments are text (ISO) or datetimes."""
    size = _size(record.get(of.size))
    md5 = str(record.get(of.checksum) or "").strip().lower()
    stamp = record.get(of.stamp)
    moment = stamp if isinstance(stamp, str) else stamp.isoformat() if stamp else ""
    is_outside = record.get(of.location) in OUTSIDE or (
        # A document may be an address instead of a file (Object Reference, Document.Url).
        not of.location and bool(record.get(of.url)) and not size
    )
    return Body(
        of.object_name,
        str(record["Id"]),
        of.field,
        f"md5:{md5}" if md5 else moment,
        size,
        md5,
        _name(of, record),
        is_outside,
    )


def _size(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        return None
    return int(value)


def _name(of: BodyField, record: Mapping[str, Any]) -> str:
    """The file's name; of a path the last part, whichever system it comes from."""
    name = next((str(record[n]) for n in of.names if record.get(n)), "")
    name = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    ending = str(record.get(of.extension) or "")
    return name if not ending or "." in name else f"{name}.{ending}"
