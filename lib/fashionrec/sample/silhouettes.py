"""Draws each article, cut from its product's cloth, as a small studio picture."""

from collections.abc import Callable
from math import cos, radians, sin
from random import Random

from PIL import Image, ImageDraw

from fashionrec.sample.attributes import (
    BLACK,
    FINE,
    HEIGHT,
    WHITE,
    WIDTH,
    Colour,
    Look,
    contrast,
    mix,
    weave,
)

Outline = list[tuple[float, float]]

STEEL, BRASS, RUBBER = (178, 180, 186), (212, 178, 92), (226, 226, 222)


def outline(points: str) -> Outline:
    """The points of "x,y x,y ..." in picture units, as SVG writes polygons."""
    return [(float(x), float(y)) for x, y in (point.split(",") for point in points.split())]


def mirrored(left_half: str) -> Outline:
    """The closed outline whose left half is given, from the top to the bottom."""
    left = outline(left_half)
    return left + [(WIDTH - x, y) for x, y in reversed(left)]


def arc(x: float, y: float, rx: float, ry: float, start: int = 0, end: int = 360) -> Outline:
    """Points of an ellipse between two angles in degrees, clockwise from the right."""
    angles = [radians(start + (end - start) * step / 30) for step in range(31)]
    return [(x + rx * cos(angle), y + ry * sin(angle)) for angle in angles]


def softened(points: Outline, share: float) -> Outline:
    """The closed outline after Chaikin's corner cutting: each cut takes a share of an edge."""
    for _ in range(3):
        edges = zip(points, points[1:] + points[:1], strict=True)
        cuts = ((a, b, t) for a, b in edges for t in (share, 1 - share))
        points = [(a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t) for a, b, t in cuts]
    return points


class Canvas:
    """A white sheet on which pieces of one cloth are laid."""

    def __init__(self, look: Look) -> None:
        """Spread the cloth of `look` beside an empty sheet."""
        self.look, self.cloth, self.seam = look, weave(look), contrast(look.colour)
        self.sheet = Image.new("RGB", self.cloth.size, WHITE)
        self.pen = ImageDraw.Draw(self.sheet)

    def lay(self, points: Outline, fill: Colour | None = None, soft: float = 0.08) -> None:
        """Lay a closed piece: of the product's cloth, or of one colour."""
        fine = [(x * FINE, y * FINE) for x, y in (softened(points, soft) if soft else points)]
        if fill is None:
            mask = Image.new("L", self.sheet.size)
            ImageDraw.Draw(mask).polygon(fine, fill=255)
            self.sheet.paste(self.cloth, mask=mask)
            self.pen.line([*fine, fine[0]], fill=self.seam, width=3)
        else:
            self.pen.polygon(fine, fill=fill, outline=contrast(fill, 0.25))

    def stitch(self, points: Outline, colour: Colour | None = None, width: int = 3) -> None:
        """Draw an open line, in the seam's colour unless another is given."""
        fine = [(x * FINE, y * FINE) for x, y in points]
        self.pen.line(fine, fill=colour or self.seam, width=width, joint="curve")

    def shade(self, x: float, y: float, reach: float) -> None:
        """Draw the soft shadow of what stands on the floor."""
        for share, grey in ((1.0, 246), (0.95, 238), (0.9, 228)):
            fine = [(px * FINE, py * FINE) for px, py in arc(x, y, reach * share, 7 * share)]
            self.pen.polygon(fine, fill=(grey, grey, grey + 2))


def _tshirts(c: Canvas) -> None:
    c.lay(mirrored("70,38 48,46 18,92 40,108 54,88 52,206"))
    c.lay(arc(90, 37, 22, 16, 0, 180), c.seam, 0)
    c.lay(arc(90, 37, 17, 11, 0, 180), contrast(c.seam, 0.3), 0)
    if c.look.cut > 0.5:
        c.lay(mirrored("70,96 70,134"), c.look.accent)


def _shirts(c: Canvas) -> None:
    c.lay(mirrored("72,36 48,44 20,168 40,176 56,100 54,208"))
    for side in (outline("73,30 90,46 76,62 64,40"), outline("107,30 90,46 104,62 116,40")):
        c.lay(side, soft=0.02)
    c.lay(mirrored("86,48 86,207"), mix(c.look.colour, c.seam, 0.25), 0)
    for y in range(58, 204, 24):
        c.lay(arc(90, y, 2, 2), WHITE, 0)
    c.lay(outline("103,88 125,88 125,110 114,116 103,110"), soft=0.02)


def _kurtas(c: Canvas) -> None:
    hem = 212 + 14 * c.look.cut
    c.lay(mirrored(f"74,20 52,28 30,118 46,124 58,78 56,140 44,{hem}"), soft=0.04)
    c.lay(mirrored(f"44,{hem - 10} 44,{hem}"), c.look.accent, 0)
    c.lay(outline("76,16 104,16 100,28 98,84 82,84 80,28"), c.look.accent, 0.04)
    c.stitch(outline("90,18 90,84"))
    c.stitch(outline(f"57,150 52,{hem - 10}"))
    c.stitch(outline(f"123,150 128,{hem - 10}"))


def _legs(c: Canvas, outer: str, inner: str) -> None:
    c.lay(mirrored(f"54,24 50,38 {outer} {inner} 89,92"), soft=0.02)
    c.lay(mirrored("54,24 53,36"), c.seam, 0)
    c.stitch(outline("90,36 90,92"), width=4)


def _jeans(c: Canvas) -> None:
    _legs(c, f"42,90 {50 - 8 * c.look.cut},224", f"{74 + 6 * c.look.cut},224")
    for side in (outline("52,54 66,52 72,38"), outline("128,54 114,52 108,38")):
        c.stitch(side, BRASS)
    c.stitch(outline("90,66 98,58 98,38"), BRASS)
    c.lay(arc(90, 30, 3, 3), BRASS, 0)
    c.stitch(outline("47,110 52,220"), BRASS, 2)


def _shorts(c: Canvas) -> None:
    c.lay(mirrored(f"50,64 46,78 30,{166 + 12 * c.look.cut} 82,180 89,124"), soft=0.03)
    c.lay(mirrored("50,62 48,76"), c.look.accent, 0.02)
    c.stitch(outline("90,78 90,124"), width=4)
    for knot in (outline("88,74 82,102"), outline("92,74 98,102")):
        c.stitch(knot, WHITE, 5)
    c.stitch(outline("56,78 44,112"))


def _dresses(c: Canvas) -> None:
    hem = 196 + 26 * c.look.cut
    c.lay(mirrored(f"88,58 72,46 70,18 62,18 56,58 66,102 {40 - 16 * c.look.cut},{hem}"), soft=0.05)
    c.lay(mirrored("65,98 65,108"), c.look.accent, 0)
    for x in (-26, -9, 9, 26):
        c.stitch(outline(f"{90 + x / 2},112 {90 + x},{hem - 8}"), width=2)


def _skirts(c: Canvas) -> None:
    c.lay(mirrored(f"58,50 {34 - 16 * c.look.cut},196 60,203"), soft=0.02)
    c.lay(mirrored("58,46 57,60"), c.look.accent, 0.02)
    for x in (-44, -22, 0, 22, 44):
        c.stitch(outline(f"{90 + x / 2},62 {90 + x},198"))


def _handbags(c: Canvas) -> None:
    top = 112 - 18 * c.look.cut
    c.shade(90, 212, 74)
    for reach in (34, 40):
        c.stitch(arc(90, top + 4, reach, 66, 180, 360), c.look.accent, 9)
    c.lay(mirrored(f"42,{top} 18,210"))
    c.lay(mirrored(f"42,{top} 36,144 88,168"), c.look.accent, 0.08)
    c.lay(arc(90, 164, 8, 8), BRASS, 0)


def _backpacks(c: Canvas) -> None:
    c.shade(90, 216, 62)
    c.stitch(arc(90, 40, 16, 22, 180, 360), c.seam, 12)
    for side in (-1, 1):
        c.stitch(arc(90 + side * 54, 134, 18, 58, 90, 90 - side * 180), c.seam, 14)
    c.lay(mirrored("76,26 36,40 34,214 80,218"), soft=0.16)
    c.stitch(arc(90, 104, 46, 50, 180, 360), width=6)
    c.lay(mirrored("46,136 44,206"), c.look.accent)
    c.stitch(outline("52,150 128,150"), contrast(c.look.accent), 6)


def _watches(c: Canvas) -> None:
    c.lay(mirrored("76,14 72,90"), soft=0.03)
    c.lay(mirrored("72,150 77,228"), soft=0.03)
    c.lay(outline("132,114 142,114 142,126 132,126"), STEEL, 0.1)
    size = 40 + 8 * c.look.cut
    c.lay(arc(90, 120, size, size), STEEL, 0)
    c.lay(arc(90, 120, size - 7, size - 7), c.look.accent, 0)
    ink = contrast(c.look.accent, 0.9)
    for x, y in arc(90, 120, size - 13, size - 13)[::5]:
        c.lay(arc(x, y, 2, 2), ink, 0)
    c.stitch(outline("90,96 90,120 108,130"), ink, 6)


def _sunglasses(c: Canvas) -> None:
    drop = 60 + 30 * c.look.cut
    glass = mix(BLACK, c.look.accent, 0.25)
    for x, out in ((49, -1), (131, 1)):
        c.stitch(outline(f"{x + out * 33},106 {x + out * 25},82 {x - out},76"), width=9)
        for rim, fill in ((0, None), (7, glass)):
            side = f"{98 + rim} {x + 39 - rim},{98 + rim} {x + 34 - rim},{90 + drop - rim}"
            lens = outline(f"{x - 39 + rim},{side} {x - 34 + rim},{90 + drop - rim}")
            c.lay(softened(lens, 0.2), fill)
        c.stitch(outline(f"{x - 18},{68 + drop / 2 + 24} {x - 6},112"), STEEL, 6)
    c.stitch(arc(90, 112, 9, 8, 180, 360), width=9)


def _casual_shoes(c: Canvas) -> None:
    c.shade(92, 184, 80)
    c.lay(outline("14,168 24,144 58,134 92,96 108,94 124,106 148,92 160,98 166,170 90,174"))
    c.lay(outline("150,96 160,98 166,168 136,168 140,120"), c.look.accent)
    c.lay(outline("14,168 22,146 46,138 56,168"), RUBBER)
    c.lay(outline("10,164 170,164 168,184 16,184"), RUBBER, 0.1)
    c.stitch(outline("14,174 168,174"), c.look.accent, 5)
    for x in range(62, 94, 9):
        c.stitch(outline(f"{x},{196 - x} {x + 16},{204 - x}"), WHITE, 7)


def _heels(c: Canvas) -> None:
    thick = 5 + 14 * c.look.cut
    c.shade(92, 198, 78)
    c.lay(
        outline(f"166,112 {162 - thick / 4},198 {160 - thick},198 {150 - thick},128"), c.seam, 0.02
    )
    upper = "12,194 26,178 56,158 66,164 104,150 140,92 162,88 168,112 160,134 128,152 90,190"
    c.lay(outline(f"{upper} 66,198"), soft=0.1)
    c.stitch(outline("14,197 64,199 90,192"), c.look.accent, 6)


def _flip_flops(c: Canvas) -> None:
    sole = outline("-20,40 10,26 34,56 26,120 28,196 0,222 -26,196 -24,120 -34,80")
    for x, side in ((48, 1), (132, -1)):
        c.lay([(x + side * dx, y) for dx, y in sole], soft=0.2)
        for end in (-27, 29):
            strap = outline(f"{end},128 {end * 0.8},96 4,64")
            c.stitch([(x + side * dx, y) for dx, y in strap], c.look.accent, 15)


def _caps(c: Canvas) -> None:
    c.lay(outline("42,142 44,96 74,64 112,62 146,92 156,146 100,156"), soft=0.2)
    c.lay(outline("44,128 8,152 6,168 60,164 112,154 96,138"), c.look.accent, 0.18)
    c.stitch(outline("94,64 78,90 74,134"))
    c.stitch(outline("94,64 128,92 138,148"))
    c.lay(arc(94, 62, 7, 4), c.look.accent, 0)


def _belts(c: Canvas) -> None:
    c.lay(arc(90, 100, 78, 36) + arc(90, 104, 72, 30)[::-1], c.seam, 0)
    c.lay(arc(90, 100, 78, 40, 180, 0) + arc(90, 132, 78, 40, 0, 180), soft=0)
    for x in (104, 118, 132):
        c.lay(arc(x, 156 - (x - 90) / 7, 2, 3), contrast(c.seam, 0.6), 0)
    metal = BRASS if c.look.cut > 0.5 else STEEL
    c.lay(outline("60,132 98,132 98,180 60,180"), metal)
    c.lay(outline("68,140 90,140 90,172 68,172"), soft=0)
    c.stitch(outline("64,156 94,156"), metal, 8)


def _ties(c: Canvas) -> None:
    wide = 18 + 10 * c.look.cut
    c.lay(mirrored(f"84,46 {90 - wide},196 88,226"), soft=0.01)
    c.lay(mirrored("72,18 82,48"), soft=0.08)


DRAWINGS: dict[str, Callable[[Canvas], None]] = {
    "Tshirts": _tshirts,
    "Shirts": _shirts,
    "Casual Shoes": _casual_shoes,
    "Watches": _watches,
    "Kurtas": _kurtas,
    "Handbags": _handbags,
    "Heels": _heels,
    "Sunglasses": _sunglasses,
    "Flip Flops": _flip_flops,
    "Backpacks": _backpacks,
    "Jeans": _jeans,
    "Dresses": _dresses,
    "Skirts": _skirts,
    "Shorts": _shorts,
    "Caps": _caps,
    "Belts": _belts,
    "Ties": _ties,
}


def draw(article_type: str, look: Look) -> Image.Image:
    """The picture of an article, `WIDTH` x `HEIGHT` RGB, a little off centre as studios have it."""
    canvas = Canvas(look)
    DRAWINGS[article_type](canvas)
    shot = Random(look.shot)
    turn, zoom = radians(shot.uniform(-7, 7)), FINE * shot.uniform(1.0, 1.18)
    along, across = zoom * cos(turn), zoom * sin(turn)
    x, y = WIDTH * FINE / 2 + shot.uniform(-9, 9), HEIGHT * FINE / 2 + shot.uniform(-9, 9)
    # Bilinear sampling of a sheet twice the size averages four pixels: it smooths the edges too.
    inverse = (
        along,
        across,
        x - (along * WIDTH + across * HEIGHT) / 2,
        -across,
        along,
        y - (along * HEIGHT - across * WIDTH) / 2,
    )
    return canvas.sheet.transform(
        (WIDTH, HEIGHT), Image.Transform.AFFINE, inverse, Image.Resampling.BILINEAR, fillcolor=WHITE
    )
