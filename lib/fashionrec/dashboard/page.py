"""What the pages share: the warehouse as it is now, filters, figures with downloads, the grid."""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import streamlit as st

from fashionrec.config import Config
from fashionrec.dashboard import catalogue
from fashionrec.dashboard.encoding import PictureEncoder, load_encoder
from fashionrec.dashboard.filters import FIELDS, Filters, from_query
from fashionrec.dashboard.warehouse import Key, Warehouse, key_of

NIGHTLY = "./spark-submit.sh nightly"
T = TypeVar("T")
Product = Mapping[Any, Any]


@st.cache_resource(max_entries=1)
def _config(document: str) -> Config:
    return Config.model_validate_json(document)


def config() -> Config:
    """Return the settings that the server was started with."""
    return _config(sys.argv[1])


@st.cache_resource(max_entries=2, show_spinner=False)
def _warehouse(path: str, key: Key) -> Warehouse:
    return Warehouse(path, key)


def warehouse() -> Warehouse:
    """Return the tables as they are now; before the first night say so and end the page."""
    path = config().warehouse
    key = key_of(path)
    if not key:
        st.title("No night yet")
        st.write("There is nothing to show before the first night. This command runs one:")
        st.code(f"{NIGHTLY} --warehouse {path}", language="bash", wrap_lines=True)
        st.stop()
    return _warehouse(path, key)


@st.cache_data(max_entries=2_000, show_spinner=False)
def _kept(key: Key, what: str, values: tuple[Any, ...], _compute: Callable[[], T]) -> T:  # noqa: ARG001
    return _compute()


def kept(
    source: Warehouse, compute: Callable[..., T], *values: Any, filters: Filters | None = None
) -> T:
    """Return compute(source, filters, *values), from memory until another night.

    Without `filters` it is compute(source, *values).
    """
    chosen = () if filters is None else tuple(sorted(filters.chosen.items()))
    given = values if filters is None else (filters, *values)
    what = f"{compute.__module__}.{compute.__qualname__}"
    return _kept(source.key, what, (chosen, values), lambda: compute(source, *given))


@st.cache_resource(max_entries=2, show_spinner=False)
def _encoder(document: str, version: str) -> Future[PictureEncoder]:
    pool = ThreadPoolExecutor(1)
    future = pool.submit(load_encoder, _config(document), version)
    pool.shutdown(wait=False)
    return future


def encoder(source: Warehouse) -> Future[PictureEncoder] | None:
    """Return the model of the pictures that can be searched, which is loaded in the background."""
    if source.searchable is None:
        return None
    loading = _encoder(sys.argv[1], source.searchable.model_version)
    if loading.done() and loading.exception():
        _encoder.clear()  # who mends the model's folder need not start the page again
    return loading


def filters_of(source: Warehouse, where: Any) -> Filters:
    """Draw the filters and return them; they live in the URL, and narrow each other."""
    known = kept(source, catalogue.values_of)
    filters = from_query({name: st.query_params.get_all(name) for name in FIELDS}, known)
    for name, title in FIELDS.items():
        counts = kept(source, catalogue.count_by, name, filters=filters.but(name))
        found = dict(zip(counts[name], counts["products"], strict=True))
        chosen = filters.chosen.get(name, ())
        options = [value for value in known[name] if value in found or value in chosen]
        key = f"filter-{name}"
        st.session_state[key] = list(chosen)
        where.multiselect(
            title,
            options,
            key=key,
            format_func=lambda value, found=found: f"{value} ({found.get(value, 0):,})",
            on_change=_remember,
            args=(name,),
            placeholder="All",
        )
    if filters:
        where.button("Clear all filters", on_click=_forget, width="stretch")
    return filters


def to_first_page() -> None:
    """Forget which page of products was shown: there are other products now."""
    st.query_params.pop("page", None)


def _remember(name: str) -> None:
    st.query_params[name] = st.session_state[f"filter-{name}"]
    to_first_page()


def _forget() -> None:
    for name in (*FIELDS, "page"):
        st.query_params.pop(name, None)


def choose(name: str, options: Sequence[str]) -> str:
    """Ask for one of a few; the choice lives in the URL, and the first is meant by none."""
    given = st.query_params.get(name)
    key = f"choice-{name}"
    st.session_state[key] = given if given in options else options[0]
    st.segmented_control(
        name.capitalize(),
        options,
        key=key,
        required=True,
        label_visibility="collapsed",
        on_change=_keep_choice,
        args=(name, key),
    )
    return str(st.session_state[key])


def _keep_choice(name: str, key: str) -> None:
    st.query_params[name] = st.session_state[key]
    to_first_page()


def whole_number(name: str, default: int) -> int:
    """Return a parameter of the URL that is a number; anybody may have written it."""
    text = st.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else default


_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")


def plain(text: str) -> str:
    """Return a text for where Markdown is read, so that it is shown as it is."""
    return _PUNCTUATION.sub(r"\\\1", text)
