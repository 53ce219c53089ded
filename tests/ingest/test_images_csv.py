"""Pictures by link in the whole step: which one a product gets, what is fetched, what is told."""

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from PIL import Image

from fashionrec.config import Config, load
from fashionrec.errors import FashionrecError
from fashionrec.ingest import ingest as step
from fashionrec.ingest.ingest import ingest
from fashionrec.runs import recorded
from fashionrec.store import Store
from fashionrec.tables import FILES, IMAGES, PRODUCTS, REJECTS, RUNS

HEADER = "id,gender,masterCategory,subCategory,articleType,baseColour,season,year,usage,"


def picture(colour: str) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(stream, "PNG")
    return stream.getvalue()


FILE, MEMBER, LOCAL, REMOTE = map(picture, ("red", "green", "blue", "white"))


@dataclass
class Shop:
    """An image server: it has /good*.png and nothing else, and keeps what it is asked for."""

    port: int = 0
    asked: list[str] = field(default_factory=list)

    def forget(self) -> list[str]:
        asked, self.asked = sorted(self.asked), []
        return asked


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shop.asked.append(self.path)
            self.send_response(200 if self.path.startswith("/good") else 404)
            self.end_headers()
            self.wfile.write(REMOTE if self.path.startswith("/good") else b"")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        shop.port = server.server_port
        Thread(target=server.serve_forever, daemon=True).start()
        yield shop
        server.shutdown()


def settings(shop: Shop, fetch_links: bool) -> Config:
    hosts = f'fetch.allow_hosts=["127.0.0.1:{shop.port}"]'
    removal = "ingest.max_removed_share=1.0"
    return load(overrides=[hosts, removal, f"ingest.fetch_links={str(fetch_links).lower()}"])


def run(store: Store, folder: Path, config: Config) -> dict[str, int]:
    with recorded(store, "ingest") as current:
        options = {"fetching": config.fetch, "expectations": config.expectations}
        ingest(store, folder, config.ingest, current, **options)
    return {name.removeprefix("ingest."): count for name, count in current.counts.items()}


def versions(store: Store) -> dict[str, int]:
    return {name: v for name, v in store.versions().items() if name != RUNS.name}


def pictures(store: Store) -> dict[int, bytes]:
    return {row.product_id: bytes(row.content) for row in store.read(IMAGES).collect()}


def rejected(store: Store) -> set[tuple[str, str, str | None, str]]:
    rows = store.read(REJECTS).collect()
    return {(row.source, row.position, row.raw, row.reason) for row in rows}


def write_catalogue(folder: Path, products: int, links: list[str]) -> None:
    lines = [f"{i},,,,,,,,,Name" for i in range(1, products + 1)]
    (folder / "styles.csv").write_text("\n".join([HEADER + "productDisplayName", *lines]) + "\n")
    (folder / "photos").mkdir()
    (folder / "photos" / "a.png").write_bytes(LOCAL)
    (folder / "images.csv").write_text("\n".join(["filename,link", *links]) + "\n")


def test_a_link_serves_where_there_is_no_other_picture(
    store: Store, shop: Shop, tmp_path: Path
) -> None:
    folder, url = tmp_path / "catalogue", f"http://127.0.0.1:{shop.port}"
    folder.mkdir()
    links = [
        f"1.png,{url}/good-unneeded.png",  # 2: there is a file
        "2.png,photos/a.png",  # 3: there is a tar member
        "3.png,photos/a.png",
        f"4.png,{url}/good.png",
        f"5.png,{url}/missing.png",  # 6
        "6.png,../secret.png",  # 7
        f"8.png,{url}/missing-too.png",  # 8
        f"8.png,{url}/good-8.png",
        f"8.png,{url}/good-unneeded.png",
        "9.png,styles.csv",  # 11
        f"99.png,{url}/good-unneeded.png",  # of no product
        "what is this",  # 13
        f"10.png,http://localhost:{shop.port}/good.png",  # 14: a host that is not allowed
    ]
    write_catalogue(folder, 10, links)
    (tmp_path / "secret.png").write_bytes(FILE)
    (folder / "images").mkdir()
    (folder / "images" / "1.png").write_bytes(FILE)
    (folder / "images" / "2.png").write_bytes(b"")  # unusable: the tar's is taken
    with tarfile.open(folder / "images.tar", "w") as tar:
        for name in ("1.png", "2.png"):
            member = tarfile.TarInfo(name)
            member.size = len(MEMBER)
            tar.addfile(member, io.BytesIO(MEMBER))

    files = {
        ("images", "images/2.png", None, "empty file"),
        ("images", "images.tar!1.png", None, "the product has another picture"),
    }
    local = {
        ("images.csv", "7", "../secret.png", "the link leads out of the catalogue's folder"),
        ("images.csv", "11", "styles.csv", "not an image"),
        ("images.csv", "13", "what is this", "1 fields, the header has 2"),
    }
    inner = "cannot be read: the host has an address that is not public, and is not allowed"
    remote = {
        ("images.csv", "6", f"{url}/missing.png", "cannot be read: the server answered 404"),
        ("images.csv", "8", f"{url}/missing-too.png", "cannot be read: the server answered 404"),
        ("images.csv", "14", f"http://localhost:{shop.port}/good.png", inner),
    }

    counts = run(store, folder, settings(shop, fetch_links=False))
    assert pictures(store) == {1: FILE, 2: MEMBER, 3: LOCAL}
    assert rejected(store) == files | local
    assert (counts["image_entries"], counts["images"], counts["rejected_images"]) == (7, 3, 4)
    assert shop.forget() == []

    counts = run(store, folder, settings(shop, fetch_links=True))
    assert pictures(store) == {1: FILE, 2: MEMBER, 3: LOCAL, 4: REMOTE, 8: REMOTE}
    assert rejected(store) == files | local | remote
    assert (counts["image_entries"], counts["images"], counts["rejected_images"]) == (12, 5, 7)
    assert shop.forget() == ["/good-8.png", "/good.png", "/missing-too.png", "/missing.png"]
    assert counts["links_fetched"] == 2
    hashes = {row.product_id: row.image_sha256 for row in store.read(PRODUCTS).collect()}
    assert hashes[4] == hashes[8] is not None
    assert hashes[5] is hashes[6] is hashes[7] is hashes[9] is hashes[10] is None

    # What failed is tried again, what was fetched is not, and nothing is written.
    before = versions(store)
    run(store, folder, settings(shop, fetch_links=True))
    assert shop.forget() == ["/missing-too.png", "/missing.png"]
    assert versions(store) == before


def test_unchanged_links_are_neither_read_nor_fetched(
    store: Store, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, config = tmp_path / "catalogue", settings(shop, fetch_links=True)
    folder.mkdir()
    url = f"http://127.0.0.1:{shop.port}/good.png"
    write_catalogue(folder, 3, ["1.png,photos/a.png", f"2.png,{url}", "3.png,undefined"])
    counts = run(store, folder, config)
    assert pictures(store) == {1: LOCAL, 2: REMOTE}
    assert shop.forget() == ["/good.png"]
    paths = {row.path for row in store.read(FILES).collect()}
    links = {"images.csv!1!photos/a.png", f"images.csv!2!{url}", "images.csv!3!undefined"}
    assert paths == {"styles.csv", "images.csv", *links}

    class ReadError(Exception):
        pass

    def read(*_: object) -> None:
        raise ReadError

    monkeypatch.setattr(step, "read_catalogue", read)
    before = versions(store)
    again = run(store, folder, config)
    assert (shop.forget(), versions(store)) == ([], before)
    assert counts["links_fetched"] == 1
    did = {n for n in counts if n.endswith(("_changed", "_fetched"))}
    assert again == counts | dict.fromkeys(did, 0)
    # Any of these is a change: the switch, the file that a link leads to, a file that was missing.
    with pytest.raises(ReadError):
        run(store, folder, settings(shop, fetch_links=False))
    (folder / "undefined").write_bytes(LOCAL)
    with pytest.raises(ReadError):
        run(store, folder, config)
    (folder / "undefined").unlink()
    (folder / "photos" / "a.png").write_bytes(FILE + b" ")
    with pytest.raises(ReadError):
        run(store, folder, config)


def test_a_missing_column_stops_before_anything_is_written(
    store: Store, shop: Shop, tmp_path: Path
) -> None:
    folder = tmp_path / "catalogue"
    folder.mkdir()
    write_catalogue(folder, 1, [])
    (folder / "images.csv").write_text("filename,url\n1.png,photos/a.png\n")
    before = versions(store)
    with pytest.raises(FashionrecError, match=r"images.csv: the header lacks \[link\]"):
        run(store, folder, settings(shop, fetch_links=False))
    assert versions(store) == before
