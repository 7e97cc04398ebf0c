"""
The key of an encrypted store: where it is found, and the file by which a store says that it is one.

The store's files are sealed by a key that lies in the store itself, wrapped by the key that people
keep. Only who has that key can read the store; without it nobody can, sfnb and its makers included.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from pathlib import Path

from sfnb.errors import CallerError, StoreError
from sfnb.store.files import Files
from sfnb.store.sealing import Cipher

MARKER = "_encryption.json"
FORMAT = 1
VARIABLE, FILE_VARIABLE = "SFNB_STORE_KEY", "SFNB_STORE_KEY_FILE"
SERVICE = "sfnb"

KEPT = (
    f"the variable {VARIABLE}, a file that {FILE_VARIABLE} names, or this machine's keyring "
    "(`sfnb store key`)"
)

_known: dict[str, Cipher | None] = {}
"""What was found of each store; that a folder is none is asked anew, since that costs nothing."""


def open_files(root: str | os.PathLike[str]) -> Files:
    """
    A store's files, sealed or not as the store says. Cost in an object store: one request, once.

    Raises:
        StoreError: it is encrypted, and its key is not here.
    """
    files = Files(root)
    found = _known.get(files.root)
    if found is None and (files.local is not None or files.root not in _known):
        found = _known[files.root] = _cipher(files)
    return Files(files.root, cipher=found) if found is not None else files


def cipher_at(root: str) -> Cipher | None:
    """The cipher of a store; None for a store that is not encrypted. As ``open_files``."""
    return open_files(root).cipher


def encrypt(root: str, secret: str) -> str:
    """
    Make an empty store one that is encrypted; the name of its key.

    Raises:
        CallerError: there is something in it.
        StoreError: it cannot be written.
    """
    from cryptography.hazmat.primitives.keywrap import aes_key_wrap

    files = Files(root)
    if files.names("") or files.names("", folders=True):
        raise CallerError(
            f"the store {files.root} is not empty, and what it has stays as it is. Choose another "
            "store, or empty this one."
        )
    key = _parsed(secret, "the new key")
    wrapped = base64.b64encode(aes_key_wrap(key, os.urandom(32))).decode()
    marker = {"format": FORMAT, "key": name_of(secret), "wrapped": wrapped}
    files.refuse_lossy()
    if not files.put_new_json(MARKER, marker, indent=1):
        raise CallerError(f"the store {files.root} was just made by another process.")
    _known.pop(files.root, None)
    return name_of(secret)


def new_secret() -> str:
    """A key for people to keep."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def name_of(secret: str) -> str:
    """What a key is called; it tells nothing of the key."""
    return hashlib.sha256(b"sfnb-key-name" + _parsed(secret, "the key")).hexdigest()[:12]


def key_name(root: str) -> str:
    """
    The name of the key that a store needs.

    Raises:
        CallerError: it is not encrypted.
    """
    marker = Files(root).read_json(MARKER)
    if marker is None:
        raise CallerError(f"the store {root} is not encrypted.")
    return str(marker.get("key"))


def remember(secret: str) -> None:
    """
    Put a key into this machine's keyring.

    Raises:
        StoreError: there is none.
    """
    import keyring
    import keyring.errors

    try:
        keyring.set_password(SERVICE, _entry(name_of(secret)), secret.strip())
    except (keyring.errors.KeyringError, RuntimeError) as err:
        raise StoreError(
            f"this machine has no keyring that sfnb can use; keep the key in {VARIABLE} or in a file "
            f"that {FILE_VARIABLE} names."
        ) from err


def _cipher(files: Files) -> Cipher | None:
    marker = files.read_json(MARKER)
    if marker is None:
        return None
    if marker.get("format") != FORMAT:
        raise StoreError(f"the store {files.root} was encrypted by a newer sfnb; update this one.")
    name = str(marker.get("key"))
    from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

    secret = _found(name)
    if secret is None:
        raise StoreError(
            f"the store {files.root} is encrypted, and its key {name} is not here: it is looked for "
            f"in {KEPT}. Without that key nobody can read it."
        )
    try:
        wrapped = base64.b64decode(str(marker.get("wrapped")), validate=True)
        key = aes_key_unwrap(_parsed(secret, "the key"), wrapped)
    except (InvalidUnwrap, binascii.Error) as err:
        raise StoreError(
            f"the key that is here does not open the store {files.root}: it needs the key {name}, "
            f"here is {name_of(secret)}."
        ) from err
    return Cipher(files.root, key)


def _found(name: str) -> str | None:
    """The key, from where people keep it."""
    if given := os.environ.get(VARIABLE):
        return given
    if path := os.environ.get(FILE_VARIABLE):
        try:
            return Path(path).expanduser().read_text("utf-8")
        except (OSError, UnicodeDecodeError) as err:
            raise StoreError(
                f"the file {path} with the store's key cannot be read; put it back."
            ) from err
    import keyring
    import keyring.errors

    try:
        return keyring.get_password(SERVICE, _entry(name))
    except (keyring.errors.KeyringError, RuntimeError):
        return None  # the message names all three places


def _entry(name: str) -> str:
    return f"store:{name}"


def _parsed(secret: str, what: str) -> bytes:
    try:
        key = base64.urlsafe_b64decode(secret.strip())
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        # Not shown: it may be nearly the right one.
        raise StoreError(
            f"{what} is no store key: it has 44 letters, as `sfnb store encrypt` makes it."
        )
    return key
