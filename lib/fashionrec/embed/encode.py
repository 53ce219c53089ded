"""Bytes in, embeddings out, with a pool of threads that decodes ahead of the network. No Spark."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from fashionrec.embed.decode import Pixels
from fashionrec.embed.encoder import Encoded, Encoder

Key = TypeVar("Key")
Decode = Callable[[bytes], Pixels]

_BATCHES_AHEAD = 2


@dataclass
class Seconds:
    """Where the time went: in decoding, summed over its threads, and in the network."""

    decode: float = 0.0
    network: float = 0.0


def encode_pictures(
    pictures: Iterable[tuple[Key, bytes]],
    decode: Decode,
    encoder: Encoder,
    threads: int,
    seconds: Seconds | None = None,
) -> Iterator[tuple[Key, Encoded | str]]:
    """Return each picture's key with its result, or with what was wrong with the picture.

    Batches are filled across whatever portions the pictures arrive in. `threads` decode up to
    two batches ahead, so memory stays at a few batches of pixels. `seconds` is added to.
    """
    seconds = seconds or Seconds()
    with ThreadPoolExecutor(threads) as pool:
        ahead = _BATCHES_AHEAD * encoder.batch_size
        decoded = decoded_ahead(iter(pictures), decode, pool, ahead, seconds)
        while portion := list(islice(decoded, encoder.batch_size)):
            yield from _encoded(portion, encoder, seconds)


def decoded_ahead(
    pictures: Iterator[tuple[Key, bytes]],
    decode: Decode,
    pool: ThreadPoolExecutor,
    ahead: int,
    seconds: Seconds,
) -> Iterator[tuple[Key, Pixels | str]]:
    """Return each key with its pixels or what was wrong, decoding up to `ahead` pictures ahead."""
    waiting: deque[tuple[Key, Future[tuple[Pixels | str, float]]]] = deque()
    for key, content in pictures:
        waiting.append((key, pool.submit(_decoded, content, decode)))
        if len(waiting) > ahead:
            yield _next_decoded(waiting, seconds)
    while waiting:
        yield _next_decoded(waiting, seconds)


def _next_decoded(
    waiting: deque[tuple[Key, Future[tuple[Pixels | str, float]]]], seconds: Seconds
) -> tuple[Key, Pixels | str]:
    key, future = waiting.popleft()
    pixels, took = future.result()
    seconds.decode += took
    return key, pixels


def _decoded(content: bytes, decode: Decode) -> tuple[Pixels | str, float]:
    """Return the pixels or what was wrong, and the seconds of this thread that it took."""
    began = time.thread_time()
    try:
        pixels: Pixels | str = decode(content)
    except Exception as error:  # one bad picture must not cost the others
        pixels = f"cannot be decoded: {error or type(error).__name__}"
    return pixels, time.thread_time() - began


def _encoded(
    portion: list[tuple[Key, Pixels | str]], encoder: Encoder, seconds: Seconds
) -> Iterator[tuple[Key, Encoded | str]]:
    pixels = [picture for _, picture in portion if not isinstance(picture, str)]
    began = time.monotonic()
    results = iter(encoder.encode(pixels)) if pixels else iter(())
    seconds.network += time.monotonic() - began
    for key, picture in portion:
        yield key, picture if isinstance(picture, str) else next(results)
