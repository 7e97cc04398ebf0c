"""
Secrets: read where they are kept, put into the keyring, and masked wherever text goes out (P7).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from sfnb.errors import LoginError

KEYRING_SERVICE = "sfnb"

# Session ids (00D…!…), JSON web tokens, refresh tokens (5Aep…) and whatever follows "Bearer".
_SECRET_FORMS = re.compile(
    r"(00D)\w{12,15}(?:!|%21)[\w.%-]+|(eyJ)[\w-]{8,}\.[\w-]+\.[\w-]*|(5Aep)[\w.]+|(Bearer )[^\s'\",]{12,}"
)


# Terminals obey escape sequences, and readers are misled by letters that turn the line around.
_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[ -/]*[0-~])?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def clean(text: str) -> str:
    """The text without control characters and escape sequences; tabs and line ends stay."""
    return _ESCAPES.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def mask(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without these secrets, whatever looks like a token, and control characters."""
    # Before and after cleaning: an escape sequence may swallow a token's first letter, or split it.
    return _masked(clean(_masked(text, secrets)), secrets)


def _masked(text: str, secrets: Iterable[str]) -> str:
    for secret in sorted({s for s in secrets if s}, key=len, reverse=True):
        text = text.replace(secret, "***")
    return _SECRET_FORMS.sub(lambda found: "".join(g for g in found.groups() if g) + "***", text)


def read_secret(
    org: str, role: str, reference: str, environ: Mapping[str, str] | None = None
) -> str:
    """
    The secret itself.

    Args:
        reference: ``env:VARIABLE``, ``file:PATH`` (a file with nothing else in it) or ``keyring``.

    Raises:
        LoginError: it is not there.
    """
    what = role.replace("_", " ")
    if reference.startswith("env:"):
        variable = reference.removeprefix("env:")
        value = (os.environ if environ is None else environ).get(variable, "")
        if not value:
            raise LoginError(
                f"org {org}: the {what} is expected in the environment variable {variable}; set it."
            )
        return value
    if reference.startswith("file:"):
        path = Path(reference.removeprefix("file:"))
        try:
            return path.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as err:
            raise LoginError(
                f"org {org}: the file {path} with the {what} cannot be read; put it back."
            ) from err
    value = _keyring_get(org, role) or ""
    if not value:
        raise LoginError(
            f"org {org}: the keyring has no {what}. Add the org again with --store-secret."
        )
    return value


def has_keyring() -> bool:
    """Whether this machine has a keyring at all; a server mostly has none."""
    import keyring
    from keyring.backends import fail, null

    return not isinstance(keyring.get_keyring(), fail.Keyring | null.Keyring)


def store_secret(org: str, role: str, secret: str) -> None:
    """Put the secret into the operating system's keyring."""
    import keyring
    import keyring.errors

    try:
        keyring.set_password(KEYRING_SERVICE, f"{org}:{role}", secret)
    except (keyring.errors.KeyringError, RuntimeError) as err:
        raise _no_keyring(org, role) from err


def forget_secrets(org: str, roles: Iterable[str]) -> None:
    """Take the org's secrets out of the keyring; one that is not there is no matter."""
    import keyring
    import keyring.errors

    for role in roles:
        try:
            keyring.delete_password(KEYRING_SERVICE, f"{org}:{role}")
        except keyring.errors.PasswordDeleteError:
            continue
        except (keyring.errors.KeyringError, RuntimeError) as err:
            raise _no_keyring(org, role) from err


def _keyring_get(org: str, role: str) -> str | None:
    import keyring
    import keyring.errors

    try:
        return keyring.get_password(KEYRING_SERVICE, f"{org}:{role}")
    except (keyring.errors.KeyringError, RuntimeError) as err:
        raise _no_keyring(org, role) from err


def _no_keyring(org: str, role: str) -> LoginError:
    option = (
        "access-token"
        if role == "token"
        else role.replace("security_token", "token").replace("_", "-")
    )
    return LoginError(
        f"org {org}: this machine has no usable keyring for the {role.replace('_', ' ')}. "
        f"Keep it in an environment variable and name that with --{option}-env."
    )
