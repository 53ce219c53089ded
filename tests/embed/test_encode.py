"""The pipeline with encoders that are easy to predict."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from fashionrec.embed.decode import Pixels
from fashionrec.embed.encode import encode_pictures
from fashionrec.embed.encoder import Encoded


class Counting:
    """Returns each picture's first pixel, and remembers the sizes of its batches."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self.sizes: list[int] = []

    def encode(self, batch: Sequence[Pixels]) -> list[Encoded]:
        self.sizes.append(len(batch))
        return [Encoded(picture[0, 0].astype(np.float32), None, None) for picture in batch]


def decode(content: bytes) -> Pixels:
    if content == b"bad":
        raise OSError("no picture")
    return np.full((2, 2, 3), int(content), np.uint8)


class Picky(Counting):
    """Fails on batches with a picture of some value, or gives it no numbers."""

    def __init__(self, fails_on: int = -1, nan_on: int = -1) -> None:
        super().__init__(2)
        self.fails_on, self.nan_on = fails_on, nan_on

    def encode(self, batch: Sequence[Pixels]) -> list[Encoded]:
        values = [int(picture[0, 0, 0]) for picture in batch]
        if self.fails_on in values:
            raise ValueError("no such colour")
        embeddings = [np.full(2, np.nan if v == self.nan_on else v, np.float32) for v in values]
        return [Encoded(embedding, None, None) for embedding in embeddings]


@pytest.mark.parametrize("threads", [1, 4])
def test_results_come_in_order_and_batches_are_filled(threads: int) -> None:
    encoder = Counting(4)
    pictures = [(f"p{i}", str(i).encode()) for i in range(10)]
    results = list(encode_pictures(pictures, decode, encoder, threads))
    assert [(key, int(value.embedding[0])) for key, value in results] == [
        (f"p{i}", i) for i in range(10)
    ]
    assert encoder.sizes == [4, 4, 2]


def test_a_bad_picture_costs_one_row() -> None:
    pictures = [(1, b"1"), (2, b"bad"), (3, b"3"), (4, b"bad")]
    results = dict(encode_pictures(pictures, decode, Counting(2), 2))
    assert results[2] == results[4] == "cannot be decoded: no picture"
    assert [int(results[key].embedding[0]) for key in (1, 3)] == [1, 3]


@pytest.mark.parametrize(
    ("encoder", "problem"),
    [
        (Picky(fails_on=3), "cannot be encoded: no such colour"),
        (Picky(nan_on=3), "cannot be encoded: its embedding is not finite"),
    ],
)
def test_a_picture_that_the_network_cannot_take_costs_one_row(encoder: Picky, problem: str) -> None:
    pictures = [(i, str(i).encode()) for i in range(1, 6)]
    results = dict(encode_pictures(pictures, decode, encoder, 1))
    assert results.pop(3) == problem
    assert {key: int(value.embedding[0]) for key, value in results.items()} == {
        1: 1, 2: 2, 4: 4, 5: 5
    }  # fmt: skip


def test_a_network_that_takes_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="no such colour"):
        list(encode_pictures([(0, b"0"), (1, b"1")], decode, Picky(fails_on=0), 1))


def test_a_batch_of_bad_pictures_is_not_encoded() -> None:
    encoder = Counting(2)
    assert len(list(encode_pictures([(1, b"bad"), (2, b"bad")], decode, encoder, 1))) == 2
    assert encoder.sizes == []


def test_nothing_gives_nothing() -> None:
    assert list(encode_pictures([], decode, Counting(2), 1)) == []


def test_decoding_stays_a_few_batches_ahead() -> None:
    taken = 0

    def pictures() -> Iterator[tuple[int, bytes]]:
        nonlocal taken
        for i in range(1000):
            taken += 1
            yield i, b"1"

    results = encode_pictures(pictures(), decode, Counting(4), 2)
    next(results)
    assert taken <= 4 * (2 + 2) + 1  # decoded, running and queued, and one in hand
    results.close()
