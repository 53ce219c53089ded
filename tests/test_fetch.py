"""Attacks on `fetch`: none may reach a server on this machine, none may last or take much memory.

`trap` listens on every address of this machine and counts; `dialled` records each connection that
is begun, and lets none leave the machine.
"""

import gzip
import shutil
import socket
import ssl
import subprocess
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from fashionrec.errors import FetchError
from fashionrec.fetch import fetch, post
from fashionrec.settings import FetchSettings
from fashionrec.urls import is_plain_host, is_public

SETTINGS = FetchSettings(max_bytes=100_000, max_seconds=5, max_redirects=5, allow_hosts=[])
PUBLIC = "93.184.215.14"
NOT_PUBLIC = "the host has an address that is not public, and is not allowed"
NOT_PLAIN = "the URL's host is neither a name in ASCII nor a plain address"
NOT_HTTP = "only http and https URLs are fetched"
CREDENTIALS = "the URL has a user name or password in it"
UNSAFE = "the URL is too long, or has a backslash or control characters"
TOO_SLOW = "took more than 0.4 seconds"
TOO_LARGE = "more than 100,000 bytes"
OK = b"HTTP/1.1 200 OK\r\n"

Answer = Callable[[socket.socket, bytes], None]


@dataclass
class Server:
    """A server on all of this machine's addresses; it counts connections and keeps requests."""

    answer: Answer
    listener: socket.socket = field(init=False)
    connections: int = 0
    peek: bool = False  # leave the request to `answer`
    requests: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        try:
            self.listener = socket.create_server(
                ("::", 0), family=socket.AF_INET6, dualstack_ipv6=True
            )
        except (OSError, ValueError):  # a machine without IPv6
            self.listener = socket.create_server(("", 0))
        Thread(target=self._serve, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                self.connections += 1
                client.settimeout(5)
                Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            request = client.recv(65_536, socket.MSG_PEEK if self.peek else 0)
            self.requests.append(request)
            self.answer(client, request)


@pytest.fixture
def serve() -> Iterator[Callable[[Answer | bytes], Server]]:
    servers: list[Server] = []

    def start(answer: Answer | bytes) -> Server:
        talk = (lambda client, _: client.sendall(answer)) if isinstance(answer, bytes) else answer
        servers.append(Server(talk))
        return servers[-1]

    yield start
    for server in servers:
        # Only this wakes a thread that waits in accept.
        with suppress(OSError):
            server.listener.shutdown(socket.SHUT_RDWR)
        server.listener.close()


Serve = Callable[[Answer | bytes], Server]


@pytest.fixture
def trap(serve: Serve) -> Server:
    return serve(OK + b"Content-Length: 6\r\n\r\nsecret")


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that are connected to; those of other machines refuse at once."""
    addresses: list[str] = []
    connect = socket.socket.connect

    def dial(self: socket.socket, address: Any) -> None:
        addresses.append(address[0])
        if address[0] not in ("127.0.0.1", "::1"):
            raise ConnectionRefusedError
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", dial)
    return addresses


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Make names resolve to the given addresses: answer after answer, the last one for ever."""

    def answers(*lists: list[str]) -> list[str]:
        asked: list[str] = []

        def look_up(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
            found = lists[min(len(asked), len(lists) - 1)]
            asked.append(host)
            return [
                (
                    socket.AF_INET6 if ":" in address else socket.AF_INET,
                    socket.SOCK_STREAM,
                    6,
                    "",
                    (address, port, 0, 0) if ":" in address else (address, port),
                )
                for address in found
            ]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        return asked

    return answers


def reason(url: str, **changes: Any) -> str:
    started = time.monotonic()
    with pytest.raises(FetchError) as raised:
        fetch(url, SETTINGS.model_copy(update=changes))
    assert time.monotonic() - started < changes.get("max_seconds", 5) + 0.5
    text = str(raised.value)
    assert text
    assert "\n" not in text
    return text


def local(server: Server, path: str = "/") -> str:
    return f"http://127.0.0.1:{server.port}{path}"


def allowed(server: Server) -> dict[str, list[str]]:
    return {"allow_hosts": [f"127.0.0.1:{server.port}"]}


INSIDE = [
    "127.0.0.1",
    "127.0.0.2",
    "127.255.255.254",
    "0.0.0.0",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.1.1",
    "169.254.169.254",  # metadata: AWS, Azure, Google
    "100.100.100.200",  # metadata: Alibaba
    "192.0.0.192",  # metadata: Oracle
    "100.64.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "192.88.99.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:10.0.0.1]",
    "[::ffff:169.254.169.254]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2002:a9fe:a9fe::1]",
    "[2001:0:7f00:1::1]",
    "[2001:db8::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",  # metadata: AWS
    "[fe80::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[ff0e::1]",
    "[100::1]",
    "[3fff::1]",
    "[5f00::1]",
]
DISGUISED = [
    "2130706433",
    "017700000001",
    "0x7f000001",
    "0x7f.0.0.1",
    "0x7F.1",
    "0177.0.0.1",
    "0177.1",
    "127.1",
    "127.0.1",
    "127.0.0.01",
    "127.0.0.0x1",
    "3232235777",
    "2852039166",
    "0xa9fea9fe",
    "0",
    "0x",
    "256.0.0.1",
    "1.1.1.1.1",
    "127.0.0.1%2e",
    "127%2e0.0.1",
    "%31%32%37.0.0.1",
    "localhost%00.example.com",
    "127。0。0。1",
    "１２７.0.0.1",
    "①②⑦.⓪.⓪.①",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    "ｌocalhost",
    "lоcalhost",
    "[::1%25lo]",
    "[fe80::1%25eth0]",
    "[2606:4700::1%25lo]",
    "[v1.127.0.0.1]",
    "[127.0.0.1]",
    "[::1",
    "",
    ".",
    "a..b",
    "a b",
    "*",
]


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", INSIDE)
def test_an_inner_host_is_not_connected_to(
    trap: Server, dialled: list[str], scheme: str, host: str
) -> None:
    assert reason(f"{scheme}://{host}:{trap.port}/") == NOT_PUBLIC
    assert (dialled, trap.connections) == ([], 0)


@pytest.mark.parametrize("host", DISGUISED)
def test_a_host_that_hides_an_address_is_refused(
    trap: Server, dialled: list[str], host: str
) -> None:
    assert reason(f"http://{host}:{trap.port}/") in (NOT_PLAIN, "not a URL")
    assert (dialled, trap.connections) == ([], 0)


@pytest.mark.parametrize("host", [host.strip("[]") for host in INSIDE if host[0] in "[0123456789"])
@pytest.mark.parametrize("public_first", [False, True])
def test_a_name_with_one_inner_address_is_not_connected_to(
    trap: Server,
    dialled: list[str],
    resolve: Callable[..., list[str]],
    host: str,
    public_first: bool,
) -> None:
    resolve([PUBLIC, host] if public_first else [host])
    assert reason(f"http://images.example:{trap.port}/") == NOT_PUBLIC
    assert (dialled, trap.connections) == ([], 0)


@pytest.mark.parametrize("inner", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254"])
def test_a_name_that_changes_its_address_is_resolved_once(
    trap: Server, dialled: list[str], resolve: Callable[..., list[str]], inner: str
) -> None:
    asked = resolve([PUBLIC], [inner])
    found = reason(f"http://rebind.example:{trap.port}/")
    assert found == "the connection failed (ConnectionRefusedError)"
    assert (asked, dialled, trap.connections) == (["rebind.example"], [PUBLIC], 0)


def test_a_name_that_changes_its_address_between_redirects(
    serve: Serve, trap: Server, dialled: list[str], resolve: Callable[..., list[str]]
) -> None:
    first = serve(b"")
    again = f"http://rebind.example:{trap.port}/"
    first.answer = lambda client, _: client.sendall(redirect(again))
    resolve(["127.0.0.1"], ["127.0.0.1"])
    hosts = [f"rebind.example:{first.port}"]
    assert reason(f"http://rebind.example:{first.port}/", allow_hosts=hosts) == NOT_PUBLIC
    assert (dialled, first.connections, trap.connections) == (["127.0.0.1"], 1, 0)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("file:///etc/passwd", NOT_HTTP),
        ("file://127.0.0.1:{port}/", NOT_HTTP),
        ("ftp://127.0.0.1:{port}/", NOT_HTTP),
        ("gopher://127.0.0.1:{port}/_GET", NOT_HTTP),
        ("dict://127.0.0.1:{port}/", NOT_HTTP),
        ("data:text/plain,x", NOT_HTTP),
        ("javascript:alert(1)", NOT_HTTP),
        ("ws://127.0.0.1:{port}/", NOT_HTTP),
        ("http+unix://%2Fvar%2Frun%2Fdocker.sock/", NOT_HTTP),
        ("unix:/var/run/docker.sock", NOT_HTTP),
        ("//127.0.0.1:{port}/", NOT_HTTP),
        ("127.0.0.1:{port}/", NOT_HTTP),
        ("/127.0.0.1:{port}/", NOT_HTTP),
        ("http:127.0.0.1:{port}/", NOT_HTTP),
        ("http:/127.0.0.1:{port}/", NOT_HTTP),
        (" http://127.0.0.1:{port}/", NOT_HTTP),
        ("", NOT_HTTP),
        ("http://", NOT_PLAIN),
        ("http:///127.0.0.1:{port}/", NOT_PLAIN),
        ("http://:{port}/", NOT_PLAIN),
        ("http://127.0.0.1:99999/", "not a URL"),
        ("http://127.0.0.1:{port}:80/", "not a URL"),
        ("http://127.0.0.1:+{port}/", "not a URL"),
        ("http://user:pass@127.0.0.1:{port}/", CREDENTIALS),
        ("http://user@127.0.0.1:{port}/", CREDENTIALS),
        ("http://@127.0.0.1:{port}/", CREDENTIALS),
        ("http://:@127.0.0.1:{port}/", CREDENTIALS),
        ("http://example.com@127.0.0.1:{port}/", CREDENTIALS),
        ("http://example.com:80@127.0.0.1:{port}/", CREDENTIALS),
        ("http://example.com@@127.0.0.1:{port}/", CREDENTIALS),
        ("http://127.0.0.1:{port}@example.com/", CREDENTIALS),
        ("http://example.com%40127.0.0.1:{port}/", NOT_PLAIN),
        ("http://127.0.0.1:{port}/#@example.com/", NOT_PUBLIC),
        ("http://127.0.0.1:{port}/?@example.com/", NOT_PUBLIC),
        ("http://127.0.0.1:{port}#@example.com/", NOT_PUBLIC),
        ("http://127.0.0.1:{port}\\@example.com/", UNSAFE),
        ("http://example.com\\@127.0.0.1:{port}/", UNSAFE),
        ("http:\\\\127.0.0.1:{port}\\", UNSAFE),
        ("http://127.0.0.1:{port}/\r\nHost: x", UNSAFE),
        ("http://127.0.0.1:{port}/\tx", UNSAFE),
        ("ht\ntp://127.0.0.1:{port}/", UNSAFE),
        ("http://127.0.0.1:{port}/\x00", UNSAFE),
        ("http://127.0.0.1:{port}/" + "x" * 10_000, UNSAFE),
        ("http://" + "a" * 300 + ":{port}/", NOT_PLAIN),
        ("http://" + "a" * 64 + ":{port}/", "the host's name cannot be resolved"),
    ],
)
def test_a_url_that_is_misleading_or_no_web_address_is_refused(
    trap: Server, dialled: list[str], url: str, expected: str
) -> None:
    assert reason(url.replace("{port}", str(trap.port))) == expected
    assert (dialled, trap.connections) == ([], 0)


def redirect(location: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\n\r\n".encode()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("http://127.0.0.1:{port}/", NOT_PUBLIC),
        ("//localhost:{port}/", NOT_PUBLIC),
        ("https://[::1]:{port}/", NOT_PUBLIC),
        ("http://[::ffff:127.0.0.1]:{port}/", NOT_PUBLIC),
        ("http://169.254.169.254/latest/meta-data/", NOT_PUBLIC),
        ("http://2130706433:{port}/", NOT_PLAIN),
        ("http://example.com@127.0.0.1:{port}/", CREDENTIALS),
        ("file:///etc/passwd", NOT_HTTP),
        ("gopher://127.0.0.1:{port}/", NOT_HTTP),
        ("\\\\127.0.0.1:{port}/", UNSAFE),
    ],
)
def test_a_redirect_inward_is_not_followed(
    serve: Serve, trap: Server, dialled: list[str], status: int, location: str, expected: str
) -> None:
    server = serve(redirect(location.replace("{port}", str(trap.port)), status))
    assert reason(local(server), **allowed(server)) == expected
    assert (dialled, server.connections, trap.connections) == (["127.0.0.1"], 1, 0)


@pytest.mark.parametrize("limit", [0, 1, 5])
def test_redirects_end(serve: Serve, limit: int) -> None:
    server = serve(redirect("/again"))
    found = reason(local(server), max_redirects=limit, **allowed(server))
    assert found == f"more than {limit} redirects"
    assert server.connections == limit + 1


def test_redirects_within_the_limit_are_followed(serve: Serve) -> None:
    steps = {b"/": "/1", b"/1": "2?q=a b", b"/2?q=a%20b": "//127.0.0.1:{port}/3", b"/3": ""}

    def answer(client: socket.socket, request: bytes) -> None:
        onward = steps[request.split(b" ")[1]].replace("{port}", str(server.port))
        client.sendall(redirect(onward) if onward else OK + b"\r\nhere")

    server = serve(answer)
    settings = SETTINGS.model_copy(update={"max_redirects": 3, **allowed(server)})
    assert fetch(local(server), settings) == b"here"
    assert server.connections == 4


def endlessly(start: bytes, portion: bytes, pause: float = 0) -> Answer:
    def answer(client: socket.socket, _: bytes) -> None:
        client.sendall(start)
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            client.sendall(portion)
            time.sleep(pause)

    return answer


def deflated(size: int) -> bytes:
    squeezed = zlib.compressobj(wbits=-15)
    return squeezed.compress(bytes(size)) + squeezed.flush()


def encoded(encoding: str, body: bytes) -> bytes:
    return OK + f"Content-Encoding: {encoding}\r\n\r\n".encode() + body


CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
LARGE = {
    "announced": OK + b"Content-Length: 100001\r\n\r\n" + bytes(100_001),
    "announced huge": OK + b"Content-Length: 99999999999999999\r\n\r\n" + bytes(200_000),
    "announced small": OK + b"Content-Length: 100001\r\nContent-Length: 5\r\n\r\n" + bytes(200_000),
    "not announced": OK + b"\r\n" + bytes(100_001),
    "endless": endlessly(OK + b"\r\n", bytes(65_536)),
    "endless chunks": endlessly(CHUNKED, b"10000\r\n" + bytes(65_536) + b"\r\n"),
    "one huge chunk": endlessly(CHUNKED + b"FFFFFFFFFFFF\r\n", bytes(65_536)),
    "gzip bomb": encoded("gzip", gzip.compress(bytes(300_000_000), 6)),
    "deflate bomb": encoded("deflate", zlib.compress(bytes(100_000_000))),
    "raw deflate bomb": encoded("deflate", deflated(100_000_000)),
    "gzip in gzip": encoded("gzip, gzip", gzip.compress(gzip.compress(bytes(300_000_000)))),
}


@pytest.mark.parametrize("name", LARGE)
def test_a_body_over_the_limit_is_given_up(serve: Serve, name: str) -> None:
    server = serve(LARGE[name])
    found = reason(local(server), **allowed(server))
    assert found == TOO_LARGE or (name == "announced small" and "cannot be read" in found)


SLOW = {
    "no answer": lambda *_: time.sleep(3),
    "slow status": endlessly(b"", b"H", 0.05),
    "slow headers": endlessly(OK, b"X: y\r\n", 0.05),
    "slow header": endlessly(OK + b"X: ", b"y", 0.05),
    "slow body": endlessly(OK + b"\r\n", b"x", 0.05),
    "slow announced body": endlessly(OK + b"Content-Length: 1000\r\n\r\n", b"x", 0.05),
    "slow chunks": endlessly(CHUNKED, b"1\r\nx\r\n", 0.05),
    "slow size of a chunk": endlessly(CHUNKED, b"0", 0.05),
    "endless trailers": endlessly(CHUNKED + b"0\r\n", b"X: y\r\n", 0.01),
    "endless 100 Continue": endlessly(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.01),
    "gzip of nothing": endlessly(
        encoded("gzip", gzip.compress(b"")[:10]), b"\0\0\0\xff\xff" * 100, 0.01
    ),
}


@pytest.mark.parametrize("name", SLOW)
def test_a_slow_answer_is_given_up(serve: Serve, name: str) -> None:
    server = serve(SLOW[name])
    assert reason(local(server), max_seconds=0.4, **allowed(server)) == TOO_SLOW
    assert server.connections == 1
    for thread in threading.enumerate():
        if thread.name == "fetch":
            thread.join(0.5)
            assert not thread.is_alive()


def test_a_slow_handshake_is_given_up(serve: Serve) -> None:
    server = serve(lambda *_: time.sleep(2))
    url = f"https://127.0.0.1:{server.port}/"
    assert reason(url, max_seconds=0.4, **allowed(server)) == TOO_SLOW


def test_slow_redirects_share_one_time(serve: Serve) -> None:
    def answer(client: socket.socket, _: bytes) -> None:
        time.sleep(0.15)
        client.sendall(redirect("/again"))

    server = serve(answer)
    assert reason(local(server), max_seconds=0.4, **allowed(server)) == TOO_SLOW
    assert server.connections == 3


def test_a_slow_look_up_is_given_up_and_not_followed_by_a_connection(
    trap: Server, dialled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def look_up(*_: Any, **__: Any) -> list[Any]:
        time.sleep(0.6)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", trap.port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    assert reason("http://slow.example/", max_seconds=0.4, allow_hosts=["slow.example"]) == TOO_SLOW
    time.sleep(0.5)
    assert (dialled, trap.connections) == ([], 0)


UNREADABLE = {
    "nothing": b"",
    "not HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "binary": bytes(range(256)) * 10,
    "another version": b"HTTP/9.9 200 OK\r\n\r\n",
    "bad status": b"HTTP/1.1 abc OK\r\n\r\n",
    "long status": b"HTTP/1.1 200 " + b"x" * 100_000,
    "too many headers": OK + b"X: y\r\n" * 200 + b"\r\n",
    "long header": OK + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
    "truncated": OK + b"Content-Length: 10\r\n\r\nshort",
    "truncated chunk": CHUNKED + b"a\r\nshort",
    "bad chunk": CHUNKED + b"zz\r\nbody\r\n",
    "long chunk size": CHUNKED + b"0" * 100_000,
    "bad gzip": encoded("gzip", b"no gzip at all"),
    "many encodings": encoded(", ".join(["gzip"] * 50), b""),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_answer_that_cannot_be_read_is_a_reason(serve: Serve, name: str) -> None:
    server = serve(UNREADABLE[name])
    found = reason(local(server), **allowed(server))
    assert found.startswith(("the server's answer cannot be read (", "the connection failed ("))


@pytest.mark.parametrize("status", [201, 204, 206, 300, 304, 400, 401, 403, 404, 429, 500, 503])
def test_any_other_status_is_a_reason(serve: Serve, status: int) -> None:
    server = serve(f"HTTP/1.1 {status} \r\nContent-Length: 0\r\n\r\n".encode())
    assert reason(local(server), **allowed(server)) == f"the server answered {status}"


def test_an_https_url_is_not_fetched_in_the_clear(serve: Serve) -> None:
    server = serve(GOOD["announced"])
    found = reason(f"https://127.0.0.1:{server.port}/", **allowed(server))
    assert found == f"the connection failed ({ssl.SSLError.__name__})"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_a_certificate_that_nobody_vouches_for_is_refused(serve: Serve, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=127.0.0.1 -addext"
    names = ["subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*make.split(), *names], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    spoken: list[bytes] = []

    def answer(client: socket.socket, _: bytes) -> None:
        with context.wrap_socket(client, server_side=True) as stream:
            spoken.append(stream.recv(65_536))

    server = serve(answer)
    server.peek = True
    found = reason(f"https://127.0.0.1:{server.port}/", **allowed(server))
    assert found == "the server's certificate is not valid for its name"
    assert spoken == []


GOOD = {
    "announced": OK + b"Content-Length: 7\r\n\r\npicture",
    "not announced": OK + b"\r\npicture",
    "chunked": CHUNKED + b"3\r\npic\r\n4\r\nture\r\n0\r\n\r\n",
    "gzip": encoded("gzip", gzip.compress(b"picture")),
    "longer than announced": OK + b"Content-Length: 7\r\n\r\npicture and more",
}


@pytest.mark.parametrize("name", GOOD)
def test_an_allowed_host_is_fetched_from(serve: Serve, name: str) -> None:
    server = serve(GOOD[name])
    for host in ("127.0.0.1", f"127.0.0.1:{server.port}"):
        settings = SETTINGS.model_copy(update={"allow_hosts": [host]})
        assert fetch(local(server), settings) == b"picture"
    assert server.connections == 2


def test_a_body_of_just_the_limit_is_fetched(serve: Serve) -> None:
    server = serve(OK + b"\r\n" + b"x" * 100_000)
    assert fetch(local(server), SETTINGS.model_copy(update=allowed(server))) == b"x" * 100_000


def test_an_allowed_name_may_resolve_inside(
    serve: Serve, resolve: Callable[..., list[str]]
) -> None:
    server = serve(GOOD["announced"])
    resolve(["127.0.0.1"])
    settings = SETTINGS.model_copy(update={"allow_hosts": ["Images.Example"]})
    url = f"HTTP://IMAGES.example.:{server.port}/a b/ü.jpg?x=1#part"
    assert fetch(url, settings) == b"picture"
    head = server.requests[0].split(b"\r\n")
    assert head[0] == b"GET /a%20b/%C3%BC.jpg?x=1 HTTP/1.1"
    assert f"Host: images.example:{server.port}".encode() in head


@pytest.mark.parametrize(
    "host", ["127.0.0.1:1", "127.0.0.2", "localhost", "0.0.1", "*", "127.0.0.1.example", ""]
)
def test_an_allowed_host_opens_no_other(trap: Server, dialled: list[str], host: str) -> None:
    assert reason(local(trap), allow_hosts=[host]) == NOT_PUBLIC
    assert (dialled, trap.connections) == ([], 0)


def test_the_next_address_is_tried_where_one_refuses(
    serve: Serve, dialled: list[str], resolve: Callable[..., list[str]]
) -> None:
    server = serve(GOOD["announced"])
    resolve([PUBLIC, "127.0.0.1"])
    settings = SETTINGS.model_copy(update={"allow_hosts": ["images.example"]})
    assert fetch(f"http://images.example:{server.port}/", settings) == b"picture"
    assert dialled == [PUBLIC, "127.0.0.1"]


def test_neither_proxies_nor_netrc_of_the_environment_are_used(
    serve: Serve, trap: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(GOOD["announced"])
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{trap.port}")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert fetch(local(server), SETTINGS.model_copy(update=allowed(server))) == b"picture"
    assert trap.connections == 0
    assert b"authorization" not in server.requests[0].lower()


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_public_addresses_are_connected_to(
    dialled: list[str], resolve: Callable[..., list[str]], address: str
) -> None:
    assert is_public(address)
    resolve([address])
    assert reason("http://images.example/") == "the connection failed (ConnectionRefusedError)"
    assert dialled == [address]


@pytest.mark.parametrize("text", ["", "x", "8.8.8", "8.8.8.8 ", "2606:4700::1111%eth0"])
def test_what_is_no_address_is_not_public(text: str) -> None:
    assert not is_public(text)


@pytest.mark.parametrize("host", ["a.b", "xn--bcher-kva.example", "a_b-c.de", "8.8.8.8", "[::1]"])
def test_plain_hosts(host: str) -> None:
    assert is_plain_host(host)


def unposted(url: str) -> str:
    with pytest.raises(FetchError) as error:
        post(url, b'{"status": "failed"}', max_seconds=0.4)
    return str(error.value)


@pytest.mark.parametrize("status", [200, 202, 204, 299])
def test_json_is_posted_to_any_host(serve: Serve, status: int) -> None:
    sent = b'{"status": "failed"}'
    bodies: list[bytes] = []

    def answer(client: socket.socket, request: bytes) -> None:
        _, _, body = request.partition(b"\r\n\r\n")
        while len(body) < len(sent):
            body += client.recv(65_536)
        bodies.append(body)
        client.sendall(f"HTTP/1.1 {status} \r\n\r\n".encode() + b"x" * 100_000)

    server = serve(answer)
    post(local(server, "/a?token=1"), sent, max_seconds=5)
    head = server.requests[0].split(b"\r\n")
    assert head[0] == b"POST /a?token=1 HTTP/1.1"
    assert b"Content-Type: application/json" in head
    assert bodies == [sent]


def test_a_post_follows_no_redirect(serve: Serve, trap: Server) -> None:
    server = serve(redirect(local(trap)))
    assert unposted(local(server)) == "more than 0 redirects"
    assert (server.connections, trap.connections) == (1, 0)


def test_a_post_that_is_not_taken_is_a_reason(serve: Serve) -> None:
    assert unposted(local(serve(b"HTTP/1.1 500 \r\n\r\n"))) == "the server answered 500"
    assert unposted(local(serve(SLOW["slow headers"]))) == TOO_SLOW
    assert unposted("ftp://127.0.0.1/") == NOT_HTTP
    assert unposted("http://me:secret@127.0.0.1/") == CREDENTIALS
