"""Fetching a URL that somebody else wrote, without being led into the own network; and posting.

urllib3 parses the URL and decodes the body; names are resolved and sockets connected here.
requests-hardened 1.3 (https://github.com/saleor/requests-hardened) judges only the first address
of a name and has neither byte nor overall time limits.
"""

import socket
import ssl
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from functools import cache
from http import HTTPStatus
from threading import Thread
from typing import Any
from urllib.parse import urljoin

import certifi
from urllib3.connection import HTTPConnection
from urllib3.response import HTTPResponse
from urllib3.util import Url

from fashionrec.errors import FetchError, UnreachableError
from fashionrec.settings import FetchSettings
from fashionrec.urls import PORTS, checked_url, is_public

_REDIRECTS = (301, 302, 303, 307, 308)
_PORTION = 1 << 16
# The server's choice of Content-Encoding is honoured, but pictures are compressed already.
_HEADERS = {"User-Agent": "fashionrec", "Accept-Encoding": "identity", "Connection": "close"}

_Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]


def fetch(url: str, settings: FetchSettings) -> bytes:
    """Return the body that a public http or https URL answers with.

    Every address of its host must be public, unless `allow_hosts` names it; so must those of each
    redirect. Neither proxies nor credentials are used. It may be called from several threads.

    Raises:
        UnreachableError: its host is not found, not to be connected to, or too slow.
        FetchError: the URL is refused, cannot be had, or is over a limit of `settings`.
    """
    return _done(_Task(settings), url)


def post(url: str, content: bytes, max_seconds: float) -> None:
    """Send JSON to an http or https URL that the user has configured, so its host may be anywhere.

    Neither proxies nor credentials are used, no redirect is followed, and the answer is not read.

    Raises:
        UnreachableError: its host is not found, not to be connected to, or too slow.
        FetchError: the URL is refused, or the answer's status is none of 200 to 299.
    """
    host = str(checked_url(url).host)
    settings = FetchSettings(
        max_bytes=1, max_seconds=max_seconds, max_redirects=0, allow_hosts=[host]
    )
    _done(_Task(settings, content), url)


def _done(task: "_Task", url: str) -> bytes:
    Thread(target=task.run, args=(url,), name="fetch", daemon=True).start()
    try:
        return task.result.result(task.settings.max_seconds)
    except TimeoutError:
        task.abort()
        raise _too_slow(task.settings) from None


class _Task:
    """One fetch in its own thread: no time limit of a socket covers look-up, headers and body.

    With `content` that is posted instead.
    """

    def __init__(self, settings: FetchSettings, content: bytes | None = None) -> None:
        self.result: Future[bytes] = Future()
        self.settings = settings
        self._content = content
        self._deadline = time.monotonic() + settings.max_seconds
        self._open = ExitStack()
        self._socket: socket.socket | None = None

    def run(self, url: str) -> None:
        try:
            with self._open:
                body = self._follow(url)
            self.result.set_result(body)
        except FetchError as error:
            self.result.set_exception(error)
        except TimeoutError:
            self.result.set_exception(_too_slow(self.settings))
        except Exception as error:  # whatever a hostile answer makes the parsers raise
            kind = UnreachableError if isinstance(error, (OSError, UnicodeError)) else FetchError
            self.result.set_exception(kind(_reason(error)))

    def abort(self) -> None:
        """End what the thread waits for; called once the deadline has passed."""
        if self._socket is not None:
            with suppress(OSError):  # ssl's own shutdown would only drop the encryption
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _follow(self, url: str) -> bytes:
        for _ in range(self.settings.max_redirects + 1):
            with self._request(checked_url(url)) as response:
                location = response.headers.get("Location")
                if response.status not in _REDIRECTS or location is None:
                    return self._body(response)
                url = urljoin(url, location)
        raise FetchError(f"more than {self.settings.max_redirects} redirects")

    def _request(self, url: Url) -> HTTPResponse:
        scheme, host = str(url.scheme), str(url.host)
        port = PORTS[scheme] if url.port is None else url.port
        stream = self._connect(host, port)
        if scheme == "https":
            stream = _tls().wrap_socket(stream, server_hostname=_bare(host))
            self._hold(stream)
        connection = HTTPConnection(host, port, timeout=self._seconds_left())
        connection.sock, connection.auto_open = stream, 0  # it must never connect by itself
        headers = _HEADERS | {"Host": str(url.netloc)}
        method = "GET"
        if self._content is not None:
            method, headers["Content-Type"] = "POST", "application/json"
        connection.request(
            method, url.request_uri, self._content, headers=headers, preload_content=False
        )
        return connection.getresponse()

    def _connect(self, host: str, port: int) -> socket.socket:
        """Connect to one of the very addresses that were judged."""
        error = OSError()
        found = self._judged(host, port)
        for i, (family, kind, protocol, _, address) in enumerate(found):
            stream = socket.socket(family, kind, protocol)
            self._hold(stream)
            try:
                stream.settimeout(self._seconds_left() / (len(found) - i))
                stream.connect(address)
                stream.settimeout(self._seconds_left())
                return stream
            except OSError as failure:
                error = failure
        raise error

    def _judged(self, host: str, port: int) -> Sequence[_Address]:
        """Resolve a name, once, and refuse it unless each of its addresses may be connected to."""
        found = socket.getaddrinfo(_bare(host), port, type=socket.SOCK_STREAM)
        allowed = {name.lower() for name in self.settings.allow_hosts}
        public = all(is_public(str(address[0])) for *_, address in found)
        if not public and not allowed & {host, f"{host}:{port}"}:
            raise FetchError("the host has an address that is not public, and is not allowed")
        return found

    def _body(self, response: HTTPResponse) -> bytes:
        if self._content is not None and response.status // 100 == 2:
            return b""
        if response.status != HTTPStatus.OK:
            raise FetchError(f"the server answered {response.status}")
        limit = self.settings.max_bytes
        body = bytearray()
        while len(body) <= limit and (portion := response.read(_PORTION)):
            body += portion
            self._seconds_left()
        self._seconds_left()  # an aborted body may look like one that has ended
        if len(body) > limit:
            raise FetchError(f"more than {limit:,} bytes")
        return bytes(body)

    def _hold(self, stream: socket.socket) -> None:
        """Let `abort` reach the socket; look at the clock only then, or an abort could miss it."""
        self._open.callback(stream.close)
        self._socket = stream
        stream.settimeout(self._seconds_left())

    def _seconds_left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise _too_slow(self.settings)
        return left


def _bare(host: str) -> str:
    return host.strip("[]")


@cache
def _tls() -> ssl.SSLContext:
    """Trust the system's certificates, and Mozilla's where a system has none."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def _too_slow(settings: FetchSettings) -> UnreachableError:
    return UnreachableError(f"took more than {settings.max_seconds:g} seconds")


def _reason(error: Exception) -> str:
    """Say what failed in words that are the same each night."""
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return "the host's name cannot be resolved"
    if isinstance(error, ssl.SSLCertVerificationError):
        return "the server's certificate is not valid for its name"
    if isinstance(error, OSError):
        return f"the connection failed ({type(error).__name__})"
    return f"the server's answer cannot be read ({type(error).__name__})"
