"""sfnb keeps a Salesforce org safe without eating its API allowance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sfnb.version import __version__

if TYPE_CHECKING:
    from sfnb.connection import Connection
    from sfnb.installation import connect

__all__ = ["Connection", "__version__", "connect"]


def __getattr__(name: str) -> Any:
    # The demo org and `sfnb --help` need none of the libraries that a connection does.
    if name == "Connection":
        from sfnb.connection import Connection

        return Connection
    if name == "connect":
        from sfnb.installation import connect

        return connect
    raise AttributeError(f"module 'sfnb' has no attribute {name!r}")
