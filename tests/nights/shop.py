"""A tiny catalogue that changes from night to night."""

import io
import random
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from fashionrec.ingest.styles import COLUMNS

_TYPES = ("Shirts", "Dresses", "Caps")


@dataclass
class Shop:
    """Products as (name, picture); every change is drawn from one seed."""

    folder: Path
    seed: int
    products: dict[int, tuple[str, bytes]] = field(default_factory=dict)
    states: list[set[int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)
        for _ in range(24):
            self._add()
        self._write()

    def change(self) -> None:
        """Add one or two products, remove one, rename one and give one another picture."""
        for _ in range(self.draw.randint(1, 2)):
            self._add()
        gone, renamed, other = self.draw.sample(sorted(self.products), 3)
        del self.products[gone]
        self.products[renamed] = (f"{self._word()} again", self.products[renamed][1])
        self.products[other] = (self.products[other][0], self._picture())
        self._write()

    def _add(self) -> None:
        product_id = self.draw.randint(1, 99_999)
        self.products[product_id] = (self._word(), self._picture())

    def _word(self) -> str:
        return "".join(self.draw.choices("abcdefgh", k=8))

    def _picture(self) -> bytes:
        """Coarse noise, so that no two pictures look alike."""
        noise = Image.frombytes("RGB", (4, 3), self.draw.randbytes(36))
        stream = io.BytesIO()
        noise.resize((32, 24), Image.Resampling.BICUBIC).save(stream, "JPEG")
        return stream.getvalue()

    def _write(self) -> None:
        """Write the folder anew; `states` are the sets of ids that a night may publish."""
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "images").mkdir(parents=True)
        lines = [",".join(COLUMNS)]
        for product_id, (name, picture) in self.products.items():
            kind = _TYPES[product_id % len(_TYPES)]
            lines.append(f"{product_id},Men,Apparel,Wear,{kind},Red,Fall,2012,Casual,{name}")
            (self.folder / "images" / f"{product_id}.jpg").write_bytes(picture)
        (self.folder / "styles.csv").write_text("\n".join(lines) + "\n")
        self.states.append(set(self.products))
