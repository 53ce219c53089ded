"""URIs of object stores as paths: their text names the same place in any process."""

import pickle
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from aiohttp import ClientPayloadError
from azure.core.exceptions import AzureError
from botocore.exceptions import EndpointConnectionError
from gcsfs.retry import HttpError
from upath import UPath

from fashionrec import objects
from fashionrec.errors import FashionrecError, UsageError
from fashionrec.ingest import listing
from fashionrec.ingest.entries import IMAGE, NOT_REGULAR, Entry
from fashionrec.ingest.examine import Finding, examine_entry
from fashionrec.ingest.listing import list_catalogue
from fashionrec.ingest.pictures import Limits
from fashionrec.paths import at
from fashionrec.read import TableReader
from fashionrec.tables import RUNS


@pytest.mark.parametrize(
    "uri",
    [
        "s3a://shop/warehouse",
        "gs://shop/warehouse",
        "abfss://shop@account.dfs.core.windows.net/warehouse",
        "abfss://shop/warehouse",
    ],
)
def test_a_uri_stays_what_it_is(uri: str) -> None:
    path = at(uri)
    assert str(path) == str(pickle.loads(pickle.dumps(path))) == uri
    assert str(path / "a" / "b") == str(at(f"{uri}/a") / "b") == f"{uri}/a/b"
    assert str((path / "a" / "b").parent.with_name("c")) == f"{uri}/c"
    assert (path / "a" / "b").relative_to(path).as_posix() == "a/b"


def test_a_whole_bucket_may_be_a_warehouse() -> None:
    for bucket in ("s3a://shop", "gs://shop", "abfss://shop@account.dfs.core.windows.net"):
        assert TableReader(at(bucket)).path(RUNS) == f"{bucket}/runs"


@pytest.mark.parametrize("host", ["account.dfs.core.chinacloudapi.cn", "a.dfs.core.windows.net.b"])
def test_an_account_that_would_be_lost_is_refused(host: str) -> None:
    with pytest.raises(UsageError, match=r"ACCOUNT\.dfs\.core"):
        at(f"abfss://shop@{host}/warehouse")


CLIENTS_OWN = [
    (AzureError("no such host\nrequest 7"), "AzureError: no such host"),
    (HttpError({"code": 503, "message": "Unavailable"}), "HttpError: Unavailable, 503"),
    (ClientPayloadError("cut"), "ClientPayloadError: cut"),
    (
        EndpointConnectionError(endpoint_url="http://s3"),
        'EndpointConnectionError: Could not connect to the endpoint URL: "http://s3"',
    ),
    (TimeoutError(), "TimeoutError"),
    (OSError(5, "Access Denied"), "Access Denied"),
]


@pytest.mark.parametrize(("error", "told"), CLIENTS_OWN, ids=str)
def test_whatever_a_stores_client_raises_is_a_problem_of_the_picture(
    monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    def fail(*_: object, **__: object) -> bytes:
        raise error

    shop = at("s3a://shop/catalogue")
    monkeypatch.setattr(cast(UPath, shop).fs, "cat_file", fail)
    found = examine_entry(shop, Entry("images/1.jpg", IMAGE, 1, 5, 0), Limits(100, 100))
    assert found == Finding(problem=f"cannot be read: {told}")


@pytest.mark.parametrize(("error", "told"), CLIENTS_OWN, ids=str)
def test_whatever_a_stores_client_raises_amid_a_listing_is_an_error(
    monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    def break_off(*_: Any) -> Iterator[objects.Told]:
        yield "catalogue/images/1.jpg", 5, datetime.fromtimestamp(0, UTC)
        raise error

    monkeypatch.setitem(objects._PAGES, "s3a", break_off)
    with pytest.raises(FashionrecError) as raised:
        list(list_catalogue(at("s3a://shop/catalogue")))
    assert str(raised.value) == f"s3a://shop/catalogue/images: cannot be listed: {told}"


def test_an_object_whose_name_ends_with_a_slash_marks_a_folder_or_is_a_problem(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes = {"": 3, "1.jpg": 5, "2.jpg": 0, "marked/": 0, "filled/": 7, "7.jpg/": 7}
    written = datetime.fromtimestamp(1, UTC)
    told = [(f"catalogue/images/{name}", size, written) for name, size in sizes.items()]
    monkeypatch.setitem(
        objects._PAGES, "s3a", lambda *asked: iter(told if "images" in asked[2] else [])
    )
    shop = at("s3a://shop/catalogue")
    monkeypatch.setattr(listing, "_children", lambda _: [])
    assert list(list_catalogue(shop)) == [
        Entry("images/", IMAGE, None, 3, 1_000_000, problem=NOT_REGULAR),
        Entry("images/1.jpg", IMAGE, 1, 5, 1_000_000),
        Entry("images/2.jpg", IMAGE, 2, 0, 1_000_000),
        Entry("images/filled/", IMAGE, None, 7, 1_000_000, problem=NOT_REGULAR),
        Entry("images/7.jpg/", IMAGE, None, 7, 1_000_000, problem=NOT_REGULAR),
    ]
