"""Who may see the page: beyond this machine only those who log in."""

import hmac
import importlib.util
import os
import time
import tomllib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any

from fashionrec.config import resolve
from fashionrec.errors import UsageError
from fashionrec.settings import DashboardSettings
from fashionrec.urls import is_loopback

PASSWORD = "FASHIONREC_DASHBOARD_PASSWORD"
_MOST_WRONG, _WITHIN_SECONDS = 10, 60.0


@dataclass(frozen=True)
class LogIn:
    """How people log in: with a password, or with OpenID Connect; neither: they need not."""

    password: str | None = field(repr=False)
    openid: bool


def log_in_of(settings: DashboardSettings) -> LogIn:
    """Return the log-in that is configured.

    Raises:
        UsageError: there is none though the page would be seen beyond this machine; or a file of
            secrets that cannot be used.
    """
    secrets = _secrets(resolve(settings.secrets)) if settings.secrets else {}
    password = os.environ.get(PASSWORD) or secrets.get("password")
    openid = "auth" in secrets
    if password is not None and (not isinstance(password, str) or not password):
        raise UsageError(f"{settings.secrets}: 'password' must be a text that is not empty")
    if openid and not importlib.util.find_spec("authlib"):
        raise UsageError(
            f"{settings.secrets}: [auth] needs Authlib: pip install 'streamlit[auth]', or set a "
            "password instead"
        )
    if not (password or openid or is_loopback(settings.host)):
        raise UsageError(
            f"dashboard.host = '{settings.host}' is seen beyond this machine: set {PASSWORD}, or a "
            f"password or [auth] in {settings.secrets or 'dashboard.secrets'}, or listen on "
            "127.0.0.1"
        )
    return LogIn(password, openid)


def _secrets(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(f"{file}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:  # which may quote a secret, so it is not told
        raise UsageError(f"{file}: is not TOML in UTF-8") from error


@dataclass
class Guard:
    """Judges passwords, of all visitors together: past ten wrong ones a minute it judges none."""

    password: str = field(repr=False)
    clock: Callable[[], float] = time.monotonic
    _wrong: deque[float] = field(default_factory=deque)
    _lock: Lock = field(default_factory=Lock)

    def admits(self, given: str) -> bool | None:
        """Say whether a password is right; None: not now."""
        with self._lock:
            now = self.clock()
            while self._wrong and now - self._wrong[0] > _WITHIN_SECONDS:
                self._wrong.popleft()
            if len(self._wrong) >= _MOST_WRONG:
                return None
            # Of equal length, so that the time taken tells nothing of the password.
            right = hmac.compare_digest(_digest(given), _digest(self.password))
            if not right:
                self._wrong.append(now)
            return right


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogatepass")).digest()
