"""Who may see the page: beyond this machine only those who log in."""

import hmac
import os
import time
import tomllib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
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
_OPENID = ("redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url")
_TRUSTED = ("https://", "http://127.0.0.1:", "http://localhost:")
_SHORTEST_SECRET = 32  # who guesses what signs the cookie of a log-in writes one for anybody


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
    if openid:
        _check_openid(settings.secrets, secrets["auth"])
    if not (password or openid or is_loopback(settings.host)):
        raise UsageError(
            f"dashboard.host = '{settings.host}' is seen beyond this machine: set {PASSWORD}, or a "
            f"password or [auth] in {settings.secrets or 'dashboard.secrets'}, or listen on "
            "127.0.0.1"
        )
    return LogIn(password, openid)


def _check_openid(file: str, section: Any) -> None:
    """Streamlit would tell of it when somebody logs in, and of a short secret never."""
    given = section if isinstance(section, dict) else {}
    lacks = [name for name in _OPENID if not isinstance(given.get(name), str) or not given[name]]
    if lacks:
        raise UsageError(f"{file}: [auth] lacks {', '.join(lacks)}")
    if not given["redirect_uri"].endswith("/oauth2callback"):
        raise UsageError(
            f"{file}: auth.redirect_uri must be the page's address followed by /oauth2callback"
        )
    if not given["server_metadata_url"].startswith(_TRUSTED):
        raise UsageError(
            f"{file}: auth.server_metadata_url must begin with https://: it says whom to trust"
        )
    if len(given["cookie_secret"]) < _SHORTEST_SECRET:
        raise UsageError(
            f"{file}: auth.cookie_secret must have {_SHORTEST_SECRET} characters or more; this "
            "makes one: openssl rand -hex 32"
        )


def is_allowed(user: Mapping[str, Any], emails: Sequence[str]) -> bool:
    """Say whether somebody whom the provider has logged in may see the page.

    user: the claims of the ID token; emails: addresses, and domains as '@shop.example'; none: all
    of the provider's accounts may. An address counts only where the provider has verified it.
    """
    if not emails:
        return True
    email = user.get("email")
    if not isinstance(email, str) or user.get("email_verified") is not True:
        return False
    allowed = {each.lower() for each in emails}
    return bool(allowed & {email.lower(), f"@{email.lower().rpartition('@')[2]}"})


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
