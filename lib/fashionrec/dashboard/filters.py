"""Filters of products: read from a URL, written into SQL with bound values."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

FIELDS = {
    "gender": "Gender",
    "master_category": "Master category",
    "sub_category": "Sub category",
    "article_type": "Article type",
    "base_colour": "Base colour",
    "season": "Season",
    "usage": "Usage",
    "year": "Year",
}
NONE = "(none)"  # a value that the catalogue does not give
_MOST_VALUES, _LONGEST = 200, 200  # of a URL that may be anybody's

_TEXTS = ", ".join(f"coalesce(CAST({name} AS VARCHAR), '{NONE}') AS {name}" for name in FIELDS)
# Products with every filter's value as text, in memory: all figures come from it.
CATALOGUE = (
    f"CREATE TABLE catalogue AS SELECT product_id, {_TEXTS}, "
    "coalesce(product_display_name, '') AS name, image_sha256 IS NOT NULL AS has_picture "
    "FROM products ORDER BY product_id"
)


@dataclass(frozen=True)
class Filters:
    """The values that were chosen, by field; a field without any lets all products through."""

    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.chosen)

    def but(self, name: str) -> "Filters":
        """Return the filters without one field: what its own choice is made among."""
        return Filters({key: values for key, values in self.chosen.items() if key != name})

    @property
    def where(self) -> str:
        """The condition, in SQL, with a placeholder for each of `values`."""
        parts = [
            f"{name} IN ({', '.join('?' * len(values))})" for name, values in self.chosen.items()
        ]
        return " AND ".join(parts) or "true"

    @property
    def values(self) -> list[str]:
        """The values that `where` is bound to."""
        return [value for values in self.chosen.values() for value in values]


def from_query(given: Mapping[str, Sequence[str]], known: Mapping[str, Iterable[str]]) -> Filters:
    """Return the filters that a URL asks for; what is no value of the catalogue is left out.

    given: the values of each parameter; known: those of each field.
    """
    chosen = {}
    for name in FIELDS:
        values = {value for value in given.get(name, ())[:_MOST_VALUES] if len(value) <= _LONGEST}
        if kept := tuple(value for value in known.get(name, ()) if value in values):
            chosen[name] = kept
    return Filters(chosen)


def search_condition(text: str) -> tuple[str, list[str]]:
    """Return a condition, and its values, for products whose id is the text or whose name has
    every word of it.
    """
    words = text.split()[:20]
    if not words:
        return "true", []
    patterns = [f"%{_literally(word)}%" for word in words]
    by_name = " AND ".join("name ILIKE ? ESCAPE '!'" for _ in patterns)
    return f"(product_id = TRY_CAST(? AS BIGINT) OR ({by_name}))", [text.strip(), *patterns]


def _literally(word: str) -> str:
    for character in "!%_":
        word = word.replace(character, f"!{character}")
    return word
