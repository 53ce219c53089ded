"""A host that cannot be reached is left alone after a few failures in a row."""

import socket
from collections.abc import Callable

import pytest

from fashionrec.config import load
from fashionrec.errors import FetchError, UnreachableError
from fashionrec.ingest import hosts
from fashionrec.ingest.hosts import Hosts
from fashionrec.settings import FetchSettings


def closed_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_a_host_without_a_server_is_asked_five_times() -> None:
    host = f"127.0.0.1:{closed_port()}"
    task = Hosts(load(overrides=[f'fetch.allow_hosts=["{host}"]']).fetch)
    for _ in range(5):
        with pytest.raises(UnreachableError, match="the connection failed"):
            task.fetch(f"http://{host}/1.jpg")
    with pytest.raises(FetchError, match="its host could not be reached 5 times in a row"):
        task.fetch(f"http://{host}/2.jpg")


def answers(*results: bytes | FetchError) -> Callable[[str, FetchSettings], bytes]:
    left = list(results)

    def fetch(_url: str, _settings: FetchSettings) -> bytes:
        result = left.pop(0)
        if isinstance(result, FetchError):
            raise result
        return result

    return fetch


@pytest.mark.parametrize("answer", [b"picture", FetchError("the server answered 404")])
def test_any_answer_ends_a_row_of_failures(
    answer: bytes | FetchError, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = UnreachableError("took more than 10 seconds")
    monkeypatch.setattr(hosts, "fetch", answers(*[dead] * 4, answer, *[dead] * 4, b"last"))
    task = Hosts(load().fetch)
    found = []
    for _ in range(10):
        try:
            found.append(task.fetch("http://shop.example/1.jpg"))
        except FetchError as error:
            found.append(str(error).encode())
    assert found[4] in (b"picture", b"the server answered 404")
    assert found[-1] == b"last"


def test_another_host_is_not_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    dead = UnreachableError("the host's name cannot be resolved")
    monkeypatch.setattr(hosts, "fetch", answers(*[dead] * 5, b"picture"))
    task = Hosts(load().fetch)
    for _ in range(6):
        with pytest.raises(FetchError):
            task.fetch("http://dead.example/1.jpg")
    assert task.fetch("http://alive.example/1.jpg") == b"picture"
