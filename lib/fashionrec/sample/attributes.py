"""What a product of the sample catalogue is: its names, its colours, its cloth and its price."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

Colour = tuple[int, int, int]
Pixels = NDArray[np.int64]

WIDTH, HEIGHT = 180, 240  # of a picture, in pixels
FINE = 2  # articles are cut from a sheet twice the size, so that edges come out smooth
WHITE, BLACK = (255, 255, 255), (18, 18, 20)

COLOURS: dict[str, Colour] = {
    "Black": (38, 38, 42),
    "White": (244, 244, 240),
    "Navy Blue": (32, 44, 92),
    "Blue": (52, 104, 196),
    "Red": (200, 36, 44),
    "Green": (44, 136, 76),
    "Grey": (136, 138, 142),
    "Brown": (120, 76, 44),
    "Pink": (236, 128, 168),
    "Purple": (112, 60, 148),
    "Yellow": (244, 204, 56),
    "Orange": (236, 124, 40),
    "Beige": (216, 192, 156),
    "Maroon": (116, 24, 44),
    "Olive": (112, 116, 52),
    "Teal": (28, 132, 136),
}


class Look(NamedTuple):
    """All that decides a picture, except the article; `shot` seeds how it lies in the frame."""

    colour: Colour
    accent: Colour
    pattern: str
    pitch: int
    cut: float
    shot: str


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Colour `a` with a share (0 to 1) of colour `b` in it."""
    red, green, blue = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return red, green, blue


def contrast(colour: Colour, share: float = 0.4) -> Colour:
    """A tone that shows on `colour`: darker on what is light, lighter on what is dark."""
    return mix(colour, WHITE if sum(colour) < 240 else BLACK, share)


# How much of the second tone a pattern has at column x and row y of the sheet: 0 to 1.
PATTERNS: dict[str, Callable[[Pixels, Pixels, int], NDArray[Any]]] = {
    "Solid": lambda x, _, __: x * 0,
    "Striped": lambda _, y, pitch: y // pitch % 2,
    "Pinstriped": lambda x, _, pitch: x % pitch < 4,
    "Checked": lambda x, y, pitch: (x // pitch % 2 + y // pitch % 2) / 2,
    "Dotted": lambda x, y, pitch: (
        (x % pitch - pitch / 2) ** 2 + (y % pitch - pitch / 2) ** 2 < pitch**2 / 12
    ),
    "Diagonal": lambda x, y, pitch: (x + y) // pitch % 3 == 0,
    "Ombre": lambda _, y, __: y / (HEIGHT * FINE),
}
_SHEET = (WIDTH * FINE, HEIGHT * FINE)
_LIGHT = Image.radial_gradient("L").resize(_SHEET).point([255 - v // 3 for v in range(256)])


def weave(look: Look) -> Image.Image:
    """The cloth of a product: its pattern over a whole sheet, lit from the middle."""
    y, x = np.ogrid[: HEIGHT * FINE, : WIDTH * FINE]
    share = np.broadcast_to(PATTERNS[look.pattern](x, y, look.pitch), _SHEET[::-1])
    cloth = Image.new("RGB", _SHEET, look.colour)
    second = contrast(look.colour, 0.65)
    cloth.paste(second, (0, 0, *_SHEET), Image.fromarray((share * 255).astype(np.uint8)))
    return ImageChops.multiply(cloth, _LIGHT.convert("RGB"))


class Article(NamedTuple):
    """An article type's place in the catalogue, and what its designs are drawn from."""

    master_category: str
    sub_category: str
    noun: str
    price: int
    genders: str
    usages: str = "Casual"
    plain: float = 0.3  # the share of designs without a pattern
    colours: tuple[str, ...] = tuple(COLOURS)


CLOTHES, EXTRAS, SHOES = "Apparel", "Accessories", "Footwear"
LEATHER = ("Black", "Brown", "Beige", "Maroon", "Navy Blue", "Red", "White", "Grey")
DENIM = ("Blue", "Navy Blue", "Black", "Grey", "Teal")
ARTICLES = {
    "Tshirts": Article(CLOTHES, "Topwear", "T-shirt", 599, "Men Women Boys", "Casual Sports"),
    "Shirts": Article(CLOTHES, "Topwear", "Shirt", 1299, "Men Women Boys", "Casual Formal"),
    "Jeans": Article(CLOTHES, "Bottomwear", "Jeans", 1799, "Men Women", plain=0.8, colours=DENIM),
    "Dresses": Article(CLOTHES, "Dress", "Dress", 1999, "Women Girls", "Casual Party"),
    "Kurtas": Article(CLOTHES, "Topwear", "Kurta", 999, "Women Men", "Ethnic"),
    "Handbags": Article(EXTRAS, "Bags", "Handbag", 1499, "Women", plain=0.5),
    "Backpacks": Article(EXTRAS, "Bags", "Backpack", 1299, "Unisex", "Casual Sports"),
    "Watches": Article(EXTRAS, "Watches", "Watch", 2999, "Men Women Unisex", plain=0.6),
    "Sunglasses": Article(EXTRAS, "Eyewear", "Sunglasses", 1599, "Men Women Unisex", plain=0.6),
    "Casual Shoes": Article(SHOES, "Shoes", "Casual Shoes", 2499, "Men Women Unisex"),
    "Heels": Article(SHOES, "Shoes", "Heels", 1899, "Women", "Casual Party"),
    "Flip Flops": Article(SHOES, "Flip Flops", "Flip Flops", 399, "Men Women Boys"),
    "Shorts": Article(CLOTHES, "Bottomwear", "Shorts", 799, "Men Boys", "Casual Sports"),
    "Skirts": Article(CLOTHES, "Bottomwear", "Skirt", 899, "Women Girls", "Casual Ethnic"),
    "Caps": Article(EXTRAS, "Headwear", "Cap", 349, "Men Unisex", "Casual Sports"),
    "Belts": Article(EXTRAS, "Belts", "Belt", 699, "Men Women", plain=0.7, colours=LEATHER),
    "Ties": Article(EXTRAS, "Ties", "Tie", 499, "Men", "Formal"),
}
# Twelve article types are common and the others a third as common: catalogues have a tail.
TURNS = [*[*ARTICLES][:12] * 3, *[*ARTICLES][12:]]
# The designs of twelve products of a type in turn: a design of several products is one name in
# several colours, then in a second shot of the first colour. That makes 5 of 12 share a name.
DESIGNS = (0, 1, 2, 2, 3, 4, 5, 5, 5, 6, 7, 8)
# A white handle would vanish before the white ground.
ACCENTS = [rgb for name, rgb in COLOURS.items() if name != "White"]
BRANDS = ("Tideline", "Ochre & Oak", "Kestrel", "Northgate", "Mirava", "Sable Row", "Velora")
SERIES = ("Harbour", "Classic", "Drift", "Monsoon", "Metro", "Summit", "Ivy", "Retro", "Orchid")


@dataclass(frozen=True)
class Product:
    """A product as styles.csv and styles/ID.json have it, and the look that its picture shows."""

    id: int
    article_type: str
    gender: str
    base_colour: str
    season: str
    year: int
    usage: str
    name: str
    brand: str
    price: int
    discounted_price: int
    look: Look


def draw_ids(count: int, seed: int) -> list[int]:
    """Distinct product ids, scattered as a shop's are that sells more than clothes."""
    return Random(f"{seed}/ids").sample(range(1000, max(60_000, 4 * count)), count)


def make_product(seed: int, product_id: int, article_type: str, serial: int) -> Product:
    """The product of an article type that has `serial` others before it; it depends on none."""
    round_, turn = divmod(serial, len(DESIGNS))
    design, size = DESIGNS[turn], DESIGNS.count(DESIGNS[turn])
    kind, rng = ARTICLES[article_type], Random(f"{seed}/{article_type}/{round_}/{design}")
    colour = rng.sample(kind.colours, 2)[(turn - DESIGNS.index(design)) % 2]
    pattern = "Solid" if rng.random() < kind.plain else rng.choice([*PATTERNS][1:])
    brand, gender = rng.choice(BRANDS), rng.choice(kind.genders.split())
    words = [brand, gender, rng.choice(SERIES), "" if pattern == "Solid" else pattern]
    price = kind.price + 100 * rng.randint(-2, 12)
    return Product(
        id=product_id,
        article_type=article_type,
        gender=gender,
        base_colour=colour,
        season=rng.choice(("Summer", "Summer", "Fall", "Winter", "Spring")),
        year=rng.randint(2010, 2018),
        usage=rng.choice(kind.usages.split()),
        name=" ".join(filter(None, [*words, colour if size == 1 else "", kind.noun])),
        brand=brand,
        price=price,
        discounted_price=round(price * rng.choice((1, 1, 0.8, 0.6))),
        look=Look(
            COLOURS[colour],
            rng.choice(ACCENTS),
            pattern,
            rng.randint(16, 34),
            rng.random(),
            f"{seed}/{product_id}",
        ),
    )


def make_products(ids: list[int], seed: int) -> list[Product]:
    """A product for each id, the article types in turn."""
    made: Counter[str] = Counter()
    products = []
    for position, product_id in enumerate(ids):
        article_type = TURNS[position % len(TURNS)]
        products.append(make_product(seed, product_id, article_type, made[article_type]))
        made[article_type] += 1
    return products
