"""
A secret for one reader: sealed with the public key that the reader made for itself.

Dask carries messages in plain text unless the cluster has TLS, and its scheduler sees them all. So a
session travels sealed, and only the worker that asked can open it.
"""

from __future__ import annotations

import os

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES, NONCE_BYTES = 32, 12


class Reader:
    """Opens what was sealed for its ``public`` key. It lives in memory only."""

    def __init__(self) -> None:
        self._private = X25519PrivateKey.generate()

    @property
    def public(self) -> bytes:
        return self._private.public_key().public_bytes_raw()

    def open(self, sealed: bytes) -> bytes:
        """What was sealed. Raises InvalidTag when it was not for this reader, or was changed."""
        theirs, nonce = sealed[:KEY_BYTES], sealed[KEY_BYTES : KEY_BYTES + NONCE_BYTES]
        shared = self._private.exchange(X25519PublicKey.from_public_bytes(theirs))
        return _cipher(shared, theirs + self.public).decrypt(
            nonce, sealed[KEY_BYTES + NONCE_BYTES :], None
        )

    def __repr__(self) -> str:
        return "<Reader>"


def seal(secret: bytes, public: bytes) -> bytes:
    """The secret for the reader of this public key."""
    ours = X25519PrivateKey.generate()
    mine = ours.public_key().public_bytes_raw()
    shared = ours.exchange(X25519PublicKey.from_public_bytes(public))
    nonce = os.urandom(NONCE_BYTES)
    return mine + nonce + _cipher(shared, mine + public).encrypt(nonce, secret, None)


def _cipher(shared: bytes, both: bytes) -> AESGCM:
    return AESGCM(HKDF(SHA256(), 32, salt=None, info=b"sfnb session " + both).derive(shared))
