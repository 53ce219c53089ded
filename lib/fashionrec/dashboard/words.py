"""The words of product names: counted, and as a cloud."""

import io
import re
from collections import Counter
from collections.abc import Iterable

import pandas as pd
from wordcloud import STOPWORDS, WordCloud

from fashionrec.dashboard.theme import CATEGORIES

_WORD = re.compile(r"[^\W\d_]{3,24}")
_MOST = 120


def count_words(names: Iterable[str]) -> pd.DataFrame:
    """Return word and products: how many names have each word, the most first."""
    counts: Counter[str] = Counter()
    for name in names:
        counts.update({word.lower() for word in _WORD.findall(name)} - STOPWORDS)
    return pd.DataFrame(counts.most_common(_MOST), columns=["word", "products"])


def cloud(words: pd.DataFrame, seed: int = 7) -> bytes:
    """Return a PNG, on nothing, of at least one word."""
    drawn = WordCloud(
        width=1200,
        height=480,
        background_color=None,
        mode="RGBA",
        random_state=seed,
        prefer_horizontal=1.0,
        color_func=lambda word, **_: CATEGORIES[len(word) % 5],
    ).generate_from_frequencies(dict(zip(words["word"], words["products"], strict=True)))
    buffer = io.BytesIO()
    drawn.to_image().save(buffer, "PNG")
    return buffer.getvalue()
