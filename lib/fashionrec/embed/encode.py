"""Bytes in, embeddings out, with a pool of threads that decodes ahead of the network. No Spark."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from fashionrec.embed.decode import Pixels
from fashionrec.embed.encoder import Encoded, Encoder

Key = TypeVar("Key")
Decode = Callable[[bytes], Pixels]

_BATCHES_AHEAD = 2


def encode_pictures(
    pictures: Iterable[tuple[Key, bytes]], decode: Decode, encoder: Encoder, threads: int
) -> Iterator[tuple[Key, Encoded | str]]:
    """Return each picture's key with its result, or with what was wrong with the picture.

    Batches are filled across whatever portions the pictures arrive in. `threads` decode up to
    two batches ahead, so memory stays at a few batches of pixels.
    """
    with ThreadPoolExecutor(threads) as pool:
        decoded = _decoded_ahead(iter(pictures), decode, pool, _BATCHES_AHEAD * encoder.batch_size)
        while portion := list(islice(decoded, encoder.batch_size)):
            yield from _encoded(portion, encoder)


def _decoded_ahead(
    pictures: Iterator[tuple[Key, bytes]], decode: Decode, pool: ThreadPoolExecutor, ahead: int
) -> Iterator[tuple[Key, Pixels | str]]:
    waiting: deque[tuple[Key, Future[Pixels | str]]] = deque()
    for key, content in pictures:
        waiting.append((key, pool.submit(_decoded, content, decode)))
        if len(waiting) > ahead:
            first, future = waiting.popleft()
            yield first, future.result()
    for key, future in waiting:
        yield key, future.result()


def _decoded(content: bytes, decode: Decode) -> Pixels | str:
    try:
        return decode(content)
    except Exception as error:  # one bad picture must not cost the others
        return f"cannot be decoded: {error or type(error).__name__}"


def _encoded(
    portion: list[tuple[Key, Pixels | str]], encoder: Encoder
) -> Iterator[tuple[Key, Encoded | str]]:
    pixels = [picture for _, picture in portion if not isinstance(picture, str)]
    results = iter(encoder.encode(pixels)) if pixels else iter(())
    for key, picture in portion:
        yield key, picture if isinstance(picture, str) else next(results)
