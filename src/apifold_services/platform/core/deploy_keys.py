"""Deploy keys: whoever holds the private half may read a repository whose owner noted the public one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from apifold import Invalid

BITS = 2048


def equipped(
    document: dict[str, Any], before: dict[str, Any], known: Mapping[str, str], brought: str = ""
) -> tuple[dict[str, Any], dict[str, str]]:
    """A plan whose every private source names a deploy key, and the keys that are new: private halves by public ones.

    Args:
        before: the plan that it takes the place of; a source that was there keeps its key.
        known: the plan's keys so far.
        brought: the private key that the owner brings for all of them; "" for one of its own each.

    Raises:
        Invalid: what the owner brings is no key.
    """
    had = {_href(one): _content(one).get("public_key") for one in before.get("artifacts") or ()}
    made: dict[str, str] = {}
    artifacts = []
    for artifact in document.get("artifacts") or ():
        content = _content(artifact)
        if not content.get("private"):
            artifacts.append(artifact)
            continue
        public = next((one for one in (content.get("public_key"), had.get(_href(artifact))) if one in known), None)
        if public is None:
            public, private = _pair(brought)
            made[public] = private
        artifacts.append({**artifact, "content": {**content, "public_key": public}})
    return ({**document, "artifacts": artifacts} if artifacts else document), made


def _pair(brought: str) -> tuple[str, str]:
    """A key as it is shown, and as ssh reads it."""
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption())
    ssh = (serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    key: Any = _read(brought) if brought else rsa.generate_private_key(public_exponent=65537, key_size=BITS)
    return key.public_key().public_bytes(*ssh).decode(), key.private_bytes(*form).decode()


def _read(text: str) -> Any:
    for read in (serialization.load_ssh_private_key, serialization.load_pem_private_key):
        try:
            return read(text.strip().encode() + b"\n", None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            continue
    raise Invalid("The private key can't be read: give it as OpenSSH or PEM text, without a passphrase.")


def _content(artifact: Mapping[str, Any]) -> Mapping[str, Any]:
    content: Mapping[str, Any] = artifact.get("content") or {}
    return content


def _href(artifact: Mapping[str, Any]) -> Any:
    return _content(artifact).get("href")
