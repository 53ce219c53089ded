"""Keep a Redis in step with the published lists; run it after each night, or as often as you like.

    python examples/redis_sync.py --warehouse /data/warehouse --redis redis://localhost:6379/0

A list is the JSON text of its rows at recommendations:LIST:PRODUCT_ID; recommendations:run is the
run that all of it is as of. Only what changed since that run is sent. Where that can no longer be
told, everything is sent, and what is no list any more is deleted. The run's key is written last, so
that the next time makes good what was killed.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import redis

from fashionrec.errors import FashionrecError
from fashionrec.feed import changes_since

PREFIX = "recommendations:"
RUN = f"{PREFIX}run"


def sync(warehouse: Path, server: redis.Redis) -> str:
    """Bring the Redis up to date; return what was done."""
    since = server.get(RUN)
    try:
        run_id, changes = changes_since(warehouse, since)
    except FashionrecError:
        since = None
        run_id, changes = changes_since(warehouse, None)
    changes = list(changes)
    if since is None:
        changes += stale(server, changes)
    send(server, changes)
    server.set(RUN, run_id)
    return f"{len(changes)} lists sent, as of run {run_id}"


def key_of(change: dict) -> str:
    """Return where a list is kept."""
    return f"{PREFIX}{change['list']}:{change['product_id']}"


def stale(server: redis.Redis, changes: Iterable[dict]) -> list[dict]:
    """Return a removal for each list of the Redis that is none of `changes`."""
    there = {key_of(change) for change in changes}
    gone = (key for key in server.scan_iter(f"{PREFIX}*:*") if key not in there)
    parts = (key.removeprefix(PREFIX).rpartition(":") for key in gone)
    return [{"change": "removed", "list": name, "product_id": id} for name, _, id in parts]


def send(server: redis.Redis, changes: Iterable[dict]) -> None:
    """Write the lists, a thousand per round trip."""
    left = iter(changes)
    while some := list(islice(left, 1_000)):
        pipeline = server.pipeline(transaction=False)
        for change in some:
            if change["change"] == "removed":
                pipeline.delete(key_of(change))
            else:
                pipeline.set(key_of(change), json.dumps(change["rows"], ensure_ascii=False))
        pipeline.execute()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--warehouse", type=Path, required=True)
    parser.add_argument("--redis", default="redis://localhost:6379/0", metavar="URL")
    options = parser.parse_args()
    try:
        print(sync(options.warehouse, redis.Redis.from_url(options.redis, decode_responses=True)))
    except (FashionrecError, redis.RedisError) as error:
        sys.exit(f"error: {error}")
