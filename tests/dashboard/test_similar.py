"""Pictures from outside: judged, encoded as a night would, searched; and what is said of them."""

import io

import numpy as np
import pytest
from PIL import Image

from fashionrec.config import Config, load
from fashionrec.dashboard.encoding import (
    PictureEncoder,
    Verdict,
    fetch_picture,
    load_encoder,
    reason_of,
    require_usable,
    verdict_of,
)
from fashionrec.dashboard.pictures import SIZE, tile
from fashionrec.dashboard.warehouse import Warehouse
from fashionrec.errors import FashionrecError

TIE: dict[str, object] = {"article_type": "Ties", "base_colour": "Red", "gender": "Men"}


@pytest.fixture(scope="module")
def config(shop: Warehouse) -> Config:
    return load().model_copy(update={"warehouse": str(shop.path)})


@pytest.fixture(scope="module")
def encoder(shop: Warehouse, config: Config) -> PictureEncoder:
    assert shop.searchable is not None
    return load_encoder(config, shop.searchable.model_version)


def test_a_picture_gets_the_embedding_that_the_night_gave_it(
    shop: Warehouse, encoder: PictureEncoder
) -> None:
    assert shop.searchable is not None
    ids = shop.searchable.ids[:5].tolist()
    for product_id, content in shop.contents(ids).items():
        encoded = encoder.encode(content)
        np.testing.assert_array_equal(encoded.embedding, shop.searchable.vector_of(product_id))
        assert encoded.probabilities.sum() == pytest.approx(1, abs=1e-3)


def test_a_product_finds_its_published_list(shop: Warehouse) -> None:
    assert shop.searchable is not None
    for product_id in shop.searchable.ids[:10].tolist():
        vector = shop.searchable.vector_of(product_id)
        others = shop.searchable.ids != product_id
        found = shop.searchable.nearest(vector, 5, others)
        rows = shop.rows(
            "SELECT neighbour_id, similarity FROM recommendations WHERE product_id = ? "
            "AND list = 'similar' ORDER BY rank",
            [product_id],
        )
        assert found == list(rows.itertuples(index=False, name=None))


def test_a_verdict_is_sure_from_the_threshold_on(encoder: PictureEncoder) -> None:
    picture = Image.new("RGB", (24, 32), "red")
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    encoded = encoder.encode(buffer.getvalue())
    assert verdict_of(encoded, encoder.model).sure is None  # the tiny model has no threshold
    for threshold, sure in ((encoded.probability, True), (encoded.probability + 1e-6, False)):
        model = encoder.model.__class__(**vars(encoder.model) | {"threshold": threshold})
        verdict = verdict_of(encoded, model)
        assert verdict.classes[0] == (encoded.article_type, encoded.probability)
        assert verdict.sure is sure
    values = [value for _, value in verdict.classes]
    assert values == sorted(values, reverse=True)


def test_a_model_without_classes_says_nothing(encoder: PictureEncoder) -> None:
    encoded = encoder.encode(_png(Image.new("RGB", (24, 32))))
    nothing = encoded.__class__(encoded.embedding, None, None)
    assert verdict_of(nothing, encoder.model) == Verdict([], None)


@pytest.mark.parametrize(
    ("neighbour", "reason"),
    [
        (TIE, "Same type, colour and gender"),
        (TIE | {"gender": "Women"}, "Same type and colour"),
        ({"article_type": "Ties"}, "Same type"),
        ({"article_type": "Belts", "gender": "Men"}, "Same gender"),
        ({}, "Similar look"),
    ],
)
def test_the_reason_names_what_is_shared(neighbour: dict[str, object], reason: str) -> None:
    assert reason_of(TIE, neighbour) == reason


def test_nothing_is_shared_that_the_catalogue_does_not_give() -> None:
    assert reason_of({}, {}) == "Similar look"


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((200, 200), 90).save(buffer, "JPEG")
    return buffer.getvalue()


BAD = {
    "nothing": b"",
    "text": b"<html>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "gif": b"GIF89a\x01\x00\x01\x00\x00\x00\x00;",
    "a gif that calls itself a jpeg": b"GIF89a\xff\xd8\xff\xe0" + b"\x00" * 100,
    "truncated": _jpeg()[:2_000],
    "a bomb": _png(Image.new("1", (20_000, 20_000))),
    "too many bytes": b"\xff\xd8" + b"\x00" * (1 << 26),
    "a pdf": b"%PDF-1.7\n" + _jpeg(),
    "a zip": b"PK\x03\x04" + _jpeg(),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_usable_picture_is_refused(config: Config, name: str) -> None:
    with pytest.raises(FashionrecError, match="This picture cannot be used"):
        require_usable(BAD[name], config)


def test_of_a_polyglot_only_the_picture_is_shown(config: Config) -> None:
    hidden = b"<script>alert(1)</script>PK\x03\x04"
    drawn = tile(require_usable(_jpeg() + hidden, config))
    assert hidden not in drawn
    with Image.open(io.BytesIO(drawn)) as image:
        assert (image.size, image.format) == (SIZE, "JPEG")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
@pytest.mark.parametrize("size", [(1, 1), (60, 80), (1, 500), (900, 30)])
def test_every_tile_has_one_size(mode: str, size: tuple[int, int]) -> None:
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, "JPEG" if mode == "CMYK" else "PNG")
    with Image.open(io.BytesIO(tile(buffer.getvalue()))) as image:
        assert image.size == SIZE


@pytest.mark.parametrize(
    "url", ["", "x", "file:///etc/passwd", "http://127.0.0.1/", "http://[::1]/"]
)
def test_a_url_that_may_not_be_fetched_is_one_line(config: Config, url: str) -> None:
    with pytest.raises(FashionrecError, match="This URL was not fetched"):
        fetch_picture(url, config)
