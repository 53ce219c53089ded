"""What an object store has below a name, a page at a time; fsspec gives it as one list."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from fsspec.asyn import sync
from upath import UPath

from fashionrec.errors import UsageError
from fashionrec.paths import told_as_os_error

Told = tuple[str, int, datetime]

_PAGE = 1_000  # objects per request: the most that S3 gives
_FOLDER_MARKS = ("hdi_isfolder", "Hdi_isfolder", "is_directory")  # of Azure's clients


def list_objects(folder: Path) -> Iterator[Told]:
    """Return the objects below a folder of a store, by name: name below it, bytes, when written.

    One whose name ends with a slash is no file that could be read, even where it has content.

    Raises:
        OSError: the store cannot be asked.
        UsageError: it is none of those that are known here.
    """
    store = cast(UPath, folder)
    if store.protocol not in _PAGES:
        raise UsageError(f"{folder}: only s3a://, gs:// and abfss:// can be listed")
    bucket, above, *_ = store.fs.split_path(store.path)
    prefix = f"{above.rstrip('/')}/" if above else ""
    with told_as_os_error():
        for name, size, modified in _PAGES[store.protocol](store.fs, bucket, prefix):
            if size or not name.endswith("/"):  # some tools mark folders by empty objects
                yield name.removeprefix(prefix), size, modified


def _list_s3(fs: Any, bucket: str, prefix: str) -> Iterator[Told]:
    asked = {"Bucket": bucket, "Prefix": prefix, "MaxKeys": _PAGE}
    while True:
        page = fs.call_s3("list_objects_v2", fs.req_kw, **asked)
        for each in page.get("Contents", ()):
            yield each["Key"], each["Size"], each["LastModified"]
        if not page["IsTruncated"]:
            return
        asked["ContinuationToken"] = page["NextContinuationToken"]


def _list_google(fs: Any, bucket: str, prefix: str) -> Iterator[Told]:
    asked = {"prefix": prefix, "maxResults": _PAGE}
    while True:
        page = fs.call("GET", "b/{}/o", bucket, json_out=True, **asked)
        for each in page.get("items", ()):
            yield each["name"], int(each["size"]), datetime.fromisoformat(each["updated"])
        if "nextPageToken" not in page:
            return
        asked["pageToken"] = page["nextPageToken"]


def _list_azure(fs: Any, container: str, prefix: str) -> Iterator[Told]:
    client = fs.service_client.get_container_client(container)
    found = client.list_blobs(prefix, include=["metadata"], results_per_page=_PAGE)
    pages = found.by_page()
    while (page := sync(fs.loop, _next_page, pages)) is not None:
        for each in page:
            marks = each.metadata or {}
            if not any(marks.get(mark) == "true" for mark in _FOLDER_MARKS):
                yield each.name, each.size, each.last_modified


async def _next_page(pages: Any) -> list[Any] | None:
    async for page in pages:
        return [each async for each in page]
    return None


_PAGES = {
    **dict.fromkeys(("s3", "s3a"), _list_s3),
    **dict.fromkeys(("gs", "gcs"), _list_google),
    **dict.fromkeys(("abfs", "abfss", "az", "adl"), _list_azure),
}
