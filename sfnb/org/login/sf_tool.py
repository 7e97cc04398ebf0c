"""The session that the ``sf`` command line tool holds."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

from sfnb.addresses import parse_url
from sfnb.errors import CallerError, LoginError
from sfnb.org.ids import to18
from sfnb.org.secrets import mask
from sfnb.org.session import Session

_TOKEN = re.compile(r"00D[0-9A-Za-z]{12,15}![\w.]+|eyJ[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)


def sf_session(alias: str) -> Session:
    """A session of ``sf``. Its newer versions show the token to a command of its own only."""
    shown = _run_sf("org", "display", "--target-org", alias)
    token = str(shown.get("accessToken", ""))
    if not _TOKEN.fullmatch(token):
        answer = _run_sf("org", "auth", "show-access-token", "--target-org", alias)
        token = str(
            answer.get("accessToken") or answer.get("access_token") or answer.get("token") or ""
        )
    if not _TOKEN.fullmatch(token) or not shown.get("instanceUrl"):
        raise LoginError(
            f"sf shows no access token of {alias}. "
            f"Log in again with `sf org login web --alias {alias}`."
        )
    org_id = str(shown.get("id", ""))
    try:
        return Session(parse_url(str(shown["instanceUrl"])), token, to18(org_id) if org_id else "")
    except CallerError as err:
        raise LoginError(f"sf shows no usable login of {alias}: {mask(str(err))}") from err


def _run_sf(*arguments: str) -> Mapping[str, Any]:
    program = shutil.which("sf")
    if program is None:
        raise LoginError(
            "the `sf` command line tool is not on the PATH. Install it, or add the org in another "
            "way."
        )
    shown = f"`sf {' '.join(arguments)}`"
    try:
        run = subprocess.run(  # noqa: S603  our own words and the alias, no shell
            [program, *arguments, "--json"],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=120,
            check=False,
        )
        answer = json.loads(run.stdout)
    except subprocess.TimeoutExpired as err:
        raise LoginError(f"{shown} did not end within two minutes; try it by hand.") from err
    except (ValueError, RecursionError) as err:
        raise LoginError(f"{shown} gave no JSON; try it by hand, or update sf.") from err
    except OSError as err:
        raise LoginError(f"{shown} cannot be run ({err.strerror}); reinstall sf.") from err
    result = answer.get("result") if isinstance(answer, dict) else None
    if isinstance(result, str):
        return {"accessToken": result}
    if not isinstance(result, dict):
        message = mask(str(answer.get("message", ""))) if isinstance(answer, dict) else ""
        raise LoginError(f"{shown} was refused: {message or 'no reason given'}")
    return result
