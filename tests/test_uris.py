"""URIs of object stores as paths: their text names the same place in any process."""

import pickle

import pytest

from fashionrec.errors import UsageError
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
