"""Secrets as they are stored: encrypted, with a key that lies elsewhere."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from apifold import SettingsError, Unavailable


class Vault:
    """Encrypts (AES-128-CBC with HMAC-SHA256, as Fernet has it) and decrypts.

    Args:
        file: with the key; made, for its owner only, where it is not there.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def closed(self, secret: str) -> str:
        """A secret as it may be stored."""
        return self._fernet.encrypt(secret.encode()).decode()

    def opened(self, stored: str) -> str:
        """The secret that was stored.

        Raises:
            Unavailable: it was stored with another key.
        """
        try:
            return self._fernet.decrypt(stored.encode()).decode()
        except InvalidToken:
            raise Unavailable("A stored password can't be read: it was stored with another key.") from None

    @cached_property
    def _fernet(self) -> Fernet:
        try:
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._make_once()
            return Fernet(self.file.read_bytes().strip())
        except OSError as error:
            raise SettingsError(f"services: multicloud: key: {self.file}: {error.strerror}") from None
        except ValueError:
            raise SettingsError(f"services: multicloud: key: {self.file} holds no key (32 bytes in base64)") from None

    def _make_once(self) -> None:
        """Make the file whole or not at all, and only where nobody else has."""
        if self.file.exists():
            return
        draft = self.file.with_name(f"{self.file.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(Fernet.generate_key())
        try:
            os.link(draft, self.file)
        except FileExistsError:
            pass  # another process was faster
        finally:
            draft.unlink()
