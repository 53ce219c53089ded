"""Bytes in, embeddings out, with a pool of threads that decodes ahead of the network. No Spark."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np

from fashionrec.embed.decode import Pixels
from fashionrec.embed.encoder import Encoded, Encoder

Key = TypeVar("Key")
Decode = Callable[[bytes], Pixels]
Decoded = tuple[Key, Pixels | str]
Result = tuple[Key, Encoded | str]

_BATCHES_AHEAD = 2


@dataclass
class Seconds:
    """Where the time went: in decoding and in the network, each summed over its threads."""

    decode: float = 0.0
    network: float = 0.0


def encode_pictures(
    pictures: Iterable[tuple[Key, bytes]],
    decode: Decode,
    encoder: Encoder,
    threads: int,
    seconds: Seconds | None = None,
) -> Iterator[Result[Key]]:
    """Return each picture's key with its result, or with what was wrong with the picture.

    Batches are filled across whatever portions the pictures arrive in. `threads` decode up to
    two batches ahead, so memory stays at a few batches of pixels. `seconds` is added to.

    Raises:
        Exception: the encoder's, where it fails on a black picture as well.
    """
    seconds = seconds or Seconds()
    with ThreadPoolExecutor(threads) as decoders, ThreadPoolExecutor(1) as network:
        ahead = _BATCHES_AHEAD * encoder.batch_size
        decoded = decoded_ahead(iter(pictures), decode, decoders, ahead, seconds)
        yield from _encoded_ahead(decoded, encoder, network, seconds)


def decoded_ahead(
    pictures: Iterator[tuple[Key, bytes]],
    decode: Decode,
    pool: ThreadPoolExecutor,
    ahead: int,
    seconds: Seconds,
) -> Iterator[Decoded[Key]]:
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
) -> Decoded[Key]:
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


def _encoded_ahead(
    decoded: Iterator[Decoded[Key]], encoder: Encoder, pool: ThreadPoolExecutor, seconds: Seconds
) -> Iterator[Result[Key]]:
    """Keep the network busy: the next batch waits in its queue while results are handed on."""
    running: deque[Future[tuple[list[Result[Key]], float]]] = deque()
    while batch := list(islice(decoded, encoder.batch_size)):
        running.append(pool.submit(_encoded, batch, encoder))
        if len(running) > 1:
            yield from _next_encoded(running, seconds)
    while running:
        yield from _next_encoded(running, seconds)


def _next_encoded(
    running: deque[Future[tuple[list[Result[Key]], float]]], seconds: Seconds
) -> list[Result[Key]]:
    results, took = running.popleft().result()
    seconds.network += took
    return results


def _encoded(batch: list[Decoded[Key]], encoder: Encoder) -> tuple[list[Result[Key]], float]:
    """Return a batch's results, and the seconds that the network took."""
    pixels = [picture for _, picture in batch if not isinstance(picture, str)]
    began = time.monotonic()
    results = iter(_results(pixels, encoder) if pixels else ())
    took = time.monotonic() - began
    return [(key, p if isinstance(p, str) else next(results)) for key, p in batch], took


def _results(pixels: list[Pixels], encoder: Encoder) -> list[Encoded | str]:
    """Encode a batch; where that fails, each picture alone, so that one costs no other."""
    try:
        return [_checked(result) for result in encoder.encode(pixels)]
    except Exception:
        encoder.encode([np.zeros_like(pixels[0])])  # fails where the network is at fault
        return [_encoded_alone(picture, encoder) for picture in pixels]


def _encoded_alone(picture: Pixels, encoder: Encoder) -> Encoded | str:
    try:
        return _checked(encoder.encode([picture])[0])
    except Exception as error:
        return f"cannot be encoded: {error or type(error).__name__}"


def _checked(result: Encoded) -> Encoded | str:
    """Half precision can overflow, and a vector of no numbers is no embedding."""
    finite = bool(np.isfinite(result.embedding).all())
    return result if finite else "cannot be encoded: its embedding is not finite"
