"""How a file of ours is spelled: JSON with the checksum of its content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sfnb.errors import StoreError


def _canonical(content: Mapping[str, Any]) -> str:
    """
    The content without its own ``checksum``, in one fixed spelling. JSON keeps the order of keys.
    """
    return json.dumps(
        {k: v for k, v in content.items() if k != "checksum"},
        separators=(",", ":"),
        ensure_ascii=False,
    )


def checksum(canonical: str) -> str:
    # JSON allows a lone surrogate, which plain UTF-8 would refuse.
    return hashlib.sha256(canonical.encode(errors="surrogatepass")).hexdigest()


def content_checksum(content: Mapping[str, Any]) -> str:
    """The ``checksum`` that ``encode`` gives to a content."""
    return checksum(_canonical(content))


def encode(content: Mapping[str, Any], *, indent: int | None = None) -> bytes:
    """
    JSON with its checksum, ASCII only; ``decode`` gives the content back or says that it is
    damaged.
    """
    return json.dumps({**content, "checksum": content_checksum(content)}, indent=indent).encode()


def decode(text: bytes | str, what: str) -> dict[str, Any]:
    """
    The content of ``encode``.

    Raises:
        StoreError: it is no JSON, or not what was written.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as err:
        raise StoreError(f"{what} is damaged: it is not valid JSON.") from err
    if not isinstance(content, dict) or content.get("checksum") != checksum(_canonical(content)):
        raise StoreError(f"{what} is damaged: its content is not what sfnb wrote.")
    return content


def is_as_encoded(text: bytes) -> bool:
    """
    Whether a text is what ``encode`` gives for its content, to the last blank; for a text that
    ``decode`` takes.
    """
    content = json.loads(text)
    return text in (encode(content), encode(content, indent=1))
