"""Fetching many links: a host that does not answer must not cost a night."""

from collections import Counter
from threading import Lock
from urllib.parse import urlsplit

from fashionrec.errors import FetchError, UnreachableError
from fashionrec.fetch import fetch
from fashionrec.settings import FetchSettings

_PATIENCE = 5  # failures of a host in a row, until it is left alone


class Hosts:
    """The hosts of one task's links, and how often in a row each could not be reached."""

    def __init__(self, settings: FetchSettings) -> None:
        self._settings = settings
        self._failures: Counter[str] = Counter()
        self._lock = Lock()

    def fetch(self, url: str) -> bytes:
        """Return the body at a URL; it may be called from several threads.

        Raises:
            FetchError: as `fetch.fetch`; at once for a host that has failed too often.
        """
        host = urlsplit(url).netloc
        if self._failures[host] >= _PATIENCE:
            raise FetchError(f"its host could not be reached {_PATIENCE} times in a row")
        try:
            body = fetch(url, self._settings)
        except UnreachableError:
            with self._lock:
                self._failures[host] += 1
            raise
        except FetchError:  # an answer as well
            self._failures[host] = 0
            raise
        self._failures[host] = 0
        return body
