"""Where a study comes from: whether this user's own searches made it, or it was brought here.

Owns the seal. A study names the module or file of its space, and code of a study that somebody else has made must not
run unasked. The driver seals what its user has named, with a key that lies in the user's home and nowhere else.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import stat
from pathlib import Path

from tuning.errors import writable

SEAL = "tuning_origin"
"""The attribute of a study that holds its seal."""


def seal(study: str, source: str) -> str | None:
    """Return what only this user can write; None without a home to keep a key in."""
    key = _key()
    return None if key is None else hmac.new(key, writable(f"{study}\0{source}").encode(), hashlib.sha256).hexdigest()


def is_own(study: str, source: str, given: object) -> bool:
    """Tell whether this user has sealed a study with this source of its space."""
    expected = seal(study, source)
    return isinstance(given, str) and expected is not None and hmac.compare_digest(given.encode(), expected.encode())


def _key() -> bytes | None:
    home = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    path = Path(home) / "keras-tuning" / "key"
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f"key.{os.urandom(8).hex()}")
        if os.path.lexists(path) and not _is_secret(path):
            path.unlink()
        if not path.exists():
            with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(os.urandom(32))
            with contextlib.suppress(FileExistsError):  # another search was first
                os.link(draft, path)
            draft.unlink()
        key = path.read_bytes()
        return key if len(key) == 32 else None
    return None


def _is_secret(path: Path) -> bool:
    """Tell whether a key has been made by this user, and nobody else could read it."""
    status = path.lstat()
    is_own = status.st_uid == os.geteuid() if hasattr(os, "geteuid") else True
    return stat.S_ISREG(status.st_mode) and is_own and not status.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
