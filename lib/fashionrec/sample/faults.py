"""The faults that real catalogues have, each put on a few products that have no other fault."""

import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from io import BytesIO
from random import Random

from PIL import ExifTags, Image

from fashionrec.sample.attributes import ARTICLES, Product, draw_ids, make_products
from fashionrec.sample.silhouettes import draw

SPARE_IDS = 4  # for the pictures and the lines that belong to no product


def encoded(picture: Image.Image, kind: str = "JPEG", exif: bytes = b"") -> bytes:
    """The file of a picture; the fixed quality keeps it the same on every run."""
    file = BytesIO()
    picture.save(file, kind, quality=88, exif=exif)
    return file.getvalue()


def line_of(product: Product) -> str:
    """The product's line of styles.csv, the name last and unquoted, as it was published."""
    kind = ARTICLES[product.article_type]
    categories = f"{kind.master_category},{kind.sub_category},{product.article_type}"
    about = f"{product.base_colour},{product.season},{product.year},{product.usage}"
    return f"{product.id},{product.gender},{categories},{about},{product.name}"


def style_of(product: Product) -> bytes:
    """The product's styles/ID.json."""
    age = "Kids" if product.gender in ("Boys", "Girls") else "Adults"
    text = f"<p>{product.name} by {product.brand}, for {product.usage.lower()} days.</p>"
    data = {
        "id": product.id,
        "price": product.price,
        "discountedPrice": product.discounted_price,
        "productDisplayName": product.name,
        "brandName": product.brand,
        "ageGroup": f"{age}-{product.gender}",
        "gender": product.gender,
        "baseColour": product.base_colour,
        "fashionType": "Fashion",
        "season": product.season,
        "year": str(product.year),
        "usage": product.usage,
        "productDescriptors": {"description": {"descriptorType": "description", "value": text}},
    }
    meta = {"code": 200, "requestId": str(uuid.uuid5(uuid.NAMESPACE_OID, str(product.id)))}
    whole = {"notification": {}, "meta": meta, "data": data}
    return json.dumps(whole, ensure_ascii=False).encode()


class Catalogue:
    """A catalogue as the bytes of its files, so that a fault can spoil any of them."""

    def __init__(self, count: int, seed: int) -> None:
        """Draw `count` products without any fault."""
        ids = draw_ids(count + SPARE_IDS, seed)
        products = make_products(ids[:count], seed)
        self.rng = Random(f"{seed}/faults")
        self.spare_ids = iter(ids[count:])
        self.lines = [line_of(product).encode() for product in products]
        self.rng.shuffle(self.lines)
        self.styles = {product.id: style_of(product) for product in products}
        self.pictures = {p.id: encoded(draw(p.article_type, p.look)) for p in products}
        self.untouched = products
        self.rng.shuffle(self.untouched)

    def place(self, product: Product) -> int:
        """The position of the product's line."""
        return next(i for i, line in enumerate(self.lines) if line.startswith(b"%d," % product.id))

    def insert(self, line: bytes, before: int | None = None) -> None:
        """Put one more line anywhere, or anywhere before a position."""
        self.lines.insert(self.rng.randint(0, len(self.lines) if before is None else before), line)


Fault = Callable[[Catalogue, Product], None]


def _rename(form: str, quoted: bool, catalogue: Catalogue, product: Product) -> None:
    named = replace(product, name=form.format(product.name))
    quotes = named.name.replace('"', '""')
    line = line_of(replace(named, name=f'"{quotes}"') if quoted else named)
    catalogue.lines[catalogue.place(product)] = line.encode()
    catalogue.styles[product.id] = style_of(named)


def _renames(*forms: str, quoted: bool = False) -> list[Fault]:
    return [partial(_rename, form, quoted) for form in forms]


def _blur_year(catalogue: Catalogue, product: Product) -> None:
    place, year = catalogue.place(product), b",%d," % product.year
    catalogue.lines[place] = catalogue.lines[place].replace(year, year.replace(b"1", b"l"))


def _repeat_id(catalogue: Catalogue, product: Product) -> None:
    stale = replace(product, name=f"Old {product.name}")
    catalogue.insert(line_of(stale).encode(), before=catalogue.place(product))


def _add_text_id(catalogue: Catalogue, product: Product) -> None:
    catalogue.insert(f"SKU-{line_of(product)}".encode())


def _add_short_line(catalogue: Catalogue, product: Product) -> None:
    catalogue.insert(f"{next(catalogue.spare_ids)},{product.gender}".encode())


def _add_latin_line(catalogue: Catalogue, product: Product) -> None:
    latin = replace(product, id=next(catalogue.spare_ids), name=f"Café {product.name}")
    catalogue.insert(line_of(latin).encode("latin-1"))


def _add_blank_line(catalogue: Catalogue, product: Product) -> None:
    catalogue.insert(b"", before=catalogue.place(product))


def _cut_style(catalogue: Catalogue, product: Product) -> None:
    catalogue.styles[product.id] = catalogue.styles[product.id][:150]


def _lose_picture(catalogue: Catalogue, product: Product) -> None:
    del catalogue.pictures[product.id]


def _cut_picture(catalogue: Catalogue, product: Product) -> None:
    content = catalogue.pictures[product.id]
    catalogue.pictures[product.id] = content[: len(content) // 2]


def _replace_picture(content: bytes, catalogue: Catalogue, product: Product) -> None:
    catalogue.pictures[product.id] = content


def _convert_picture(mode: str, kind: str, catalogue: Catalogue, product: Product) -> None:
    picture = draw(product.article_type, product.look).convert(mode)
    catalogue.pictures[product.id] = encoded(picture, kind)


def _turn_picture(catalogue: Catalogue, product: Product) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # turn the stored pixels clockwise by a quarter
    picture = draw(product.article_type, product.look).transpose(Image.Transpose.ROTATE_90)
    catalogue.pictures[product.id] = encoded(picture, exif=exif.tobytes())


def _share_picture(catalogue: Catalogue, product: Product) -> None:
    twin = catalogue.untouched.pop()
    catalogue.pictures[twin.id] = catalogue.pictures[product.id]


def _add_picture(catalogue: Catalogue, product: Product) -> None:
    orphan = next(catalogue.spare_ids)
    picture = draw(product.article_type, product.look._replace(shot=str(orphan)))
    catalogue.pictures[orphan] = encoded(picture)


NOT_A_PICTURE = b"<html><body><h1>404 Not Found</h1></body></html>\n"
FAULTS: dict[str, list[Fault]] = {
    "unquoted_comma": _renames("{}, Soft, Light and Washable", "{}, Black", *["{}, Pack of 2"] * 4),
    "stray_quote": _renames('{} 3.5" Edition', '{} "Limited'),
    "quoted_comma": _renames("{}, Gift Box", '{}, 12" Box', quoted=True),
    "other_script": _renames("सूती परिधान {}", "Été à Façon Señorita {}", "{} 🎉✨"),
    "unreadable_year": [_blur_year] * 3,
    "repeated_id": [_repeat_id] * 3,
    "text_id": [_add_text_id] * 2,
    "short_line": [_add_short_line],
    "not_utf8_line": [_add_latin_line],
    "blank_line": [_add_blank_line] * 2,
    "unreadable_style": [_cut_style] * 2,
    "missing_picture": [_lose_picture] * 4,
    "truncated_picture": [_cut_picture] * 3,
    "empty_picture": [partial(_replace_picture, b"")] * 2,
    "not_a_picture": [partial(_replace_picture, NOT_A_PICTURE)],
    "grey_picture": [partial(_convert_picture, "L", "JPEG")] * 6,
    "cmyk_picture": [partial(_convert_picture, "CMYK", "JPEG")] * 3,
    "png_picture": [partial(_convert_picture, "RGB", "PNG")] * 3,
    "rotated_picture": [_turn_picture],
    "picture_of_no_product": [_add_picture] * 2,
    "shared_picture": [_share_picture] * 2,
}


def spoil(catalogue: Catalogue) -> dict[str, int]:
    """Put every fault on products of its own; returns how many cases of each there are.

    A case of `shared_picture` is a pair of products, of `picture_of_no_product` an extra file, and
    of a fault whose name ends in `_line` or is `text_id` or `repeated_id` an extra line.
    """
    for cases in FAULTS.values():
        for fault in cases:
            fault(catalogue, catalogue.untouched.pop())
    return {name: len(cases) for name, cases in FAULTS.items()}
