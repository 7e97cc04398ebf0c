"""The certificate of an erasure: what was erased when by whom, without any value of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from sfnb.errors import JobError
from sfnb.private import private_file, private_folder


def certificate(
    *,
    org_id: str,
    job_id: str,
    erased_at: str,
    by: str,
    ids: Mapping[str, Collection[str]],
    files: int,
    snapshots: Sequence[str],
    verified: bool,
) -> dict[str, Any]:
    """What the file says. An Id is named by its SHA-256, so that whoever knows the Id can check."""
    return {
        "org_id": org_id,
        "job_id": job_id,
        "erased_at": erased_at,
        "by": by,
        "records": [
            {"object": name, "id_sha256": hashlib.sha256(one.encode()).hexdigest()}
            for name, some in sorted(ids.items())
            for one in sorted(some)
        ],
        "files": files,
        "snapshots": list(snapshots),
        "verified": verified,
    }


def write_certificate(path: Path, content: Mapping[str, Any]) -> None:
    """
    Raises:
        JobError: it cannot be written.
    """
    try:
        if not path.parent.is_dir():
            private_folder(path.parent)
        private_file(path).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    except OSError as err:
        raise JobError(f"the certificate {path} cannot be written: {err.strerror}.") from err
