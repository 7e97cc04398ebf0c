"""What a restore's proof found different, from the job's folder in the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sfnb.restore.folder import RestoreFolder
from sfnb.store.files import Files

SHOWN = 200


def differences(files: Files, job_id: str) -> list[Mapping[str, Any]]:
    """The first differences between the snapshot and what was read back; empty: none, or no proof."""
    saved = files.read_json(RestoreFolder(files, job_id).proof_path)
    found: list[Mapping[str, Any]] = (saved or {}).get("differences") or []
    return found[:SHOWN]
