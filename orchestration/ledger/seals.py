"""The ledger's own key, which is not in the database: it signs heads (Ed25519) and seals each entry (HMAC), so that who
can write rows can neither sign a chain of his own nor slip an entry in.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings


@lru_cache(maxsize=4)
def _keys(secret: str) -> tuple[Ed25519PrivateKey, bytes]:
    """From the one secret two keys, neither of which tells the other."""
    signing = hashlib.sha256(b"baton ledger signing\0" + secret.encode()).digest()
    sealing = hashlib.sha256(b"baton ledger sealing\0" + secret.encode()).digest()
    return Ed25519PrivateKey.from_private_bytes(signing), sealing


def seal(digest: bytes) -> bytes:
    """By which an entry proves that Baton wrote it."""
    return hmac.digest(_keys(settings.LEDGER_KEY)[1], digest, "sha256")


def is_sealed(digest: bytes, given: bytes) -> bool:
    return hmac.compare_digest(seal(digest), given)


def sign(body: bytes) -> bytes:
    return _keys(settings.LEDGER_KEY)[0].sign(body)


def public_key() -> bytes:
    return _keys(settings.LEDGER_KEY)[0].public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def key_id(public: bytes | None = None) -> str:
    """A name for a public key, short enough to be read out."""
    return base64.b32encode(hashlib.sha256(public or public_key()).digest()[:10]).decode().lower()


def is_signed(body: bytes, signature: bytes, public: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, body)
    except (InvalidSignature, ValueError):
        return False
    return True
