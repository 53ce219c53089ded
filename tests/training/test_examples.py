"""Examples on their way to the network: each once, in a drawn order, counted."""

from collections.abc import Iterator

import numpy as np
import pytest

from fashionrec.errors import FashionrecError
from fashionrec.training.examples import Example, batch_sizes, batches, shuffled


def examples(count: int) -> Iterator[Example]:
    for i in range(count):
        yield Example(i, bytes([i]), np.array([i % 3, 1]))


def ids(drawn: Iterator[Example]) -> list[int]:
    return [example.product_id for example in drawn]


def decode(content: bytes) -> np.ndarray:
    if content == b"\x09":
        raise OSError("truncated")
    return np.full((2, 3, 3), content[0], np.uint8)


@pytest.mark.parametrize("waiting", [1, 7, 100])
def test_each_example_is_drawn_once(waiting: int) -> None:
    drawn = ids(shuffled(examples(50), waiting, seed=3))
    assert sorted(drawn) == list(range(50))
    assert (drawn == sorted(drawn)) == (waiting == 1)
    assert drawn == ids(shuffled(examples(50), waiting, seed=3))
    assert waiting == 1 or drawn != ids(shuffled(examples(50), waiting, seed=4))


@pytest.mark.parametrize(
    ("rows", "steps", "sizes"),
    [(33, 2, [17, 16]), (32, 2, [16, 16]), (64, 2, [32, 32]), (5, 1, [5])],
)
def test_batches_differ_by_a_row_at_most(rows: int, steps: int, sizes: list[int]) -> None:
    assert batch_sizes(rows, steps) == sizes


def test_batches_hold_pixels_and_labels_in_order() -> None:
    found = list(batches(examples(5), [3, 2], decode, threads=2))
    assert [batch.pixels[:, 0, 0, 0].tolist() for batch in found] == [[0, 1, 2], [3, 4]]
    assert found[1].labels.tolist() == [[0, 1], [1, 1]]
    assert found[0].pixels.shape == (3, 2, 3, 3)


@pytest.mark.parametrize(("sizes", "message"), [([3, 3], "fewer"), ([2, 2], "more"), ([], "more")])
def test_rows_that_are_lost_or_too_many_are_an_error(sizes: list[int], message: str) -> None:
    with pytest.raises(FashionrecError, match=f"returned {message} than the {sum(sizes)} rows"):
        list(batches(examples(5), sizes, decode, threads=1))


def test_a_picture_that_cannot_be_decoded_names_its_product() -> None:
    with pytest.raises(FashionrecError, match="product 9: cannot be decoded: truncated"):
        list(batches(examples(12), [12], decode, threads=1))
