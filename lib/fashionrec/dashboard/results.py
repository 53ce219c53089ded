"""What was found: the model's verdict on a picture, and the products most similar to it."""

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from fashionrec.dashboard import catalogue, drawing, page
from fashionrec.dashboard.encoding import Verdict, reason_of
from fashionrec.dashboard.filters import Filters
from fashionrec.dashboard.warehouse import Warehouse

_K = 5


def draw_verdict(verdict: Verdict) -> None:
    """Draw what the model calls a picture, with its probabilities where there are several."""
    if not verdict.classes:
        st.text("The model has no classes.")
        return
    name, probability = verdict.classes[0]
    unsure = verdict.sure is not None and not verdict.sure
    said = "The model is not sure; most likely" if unsure else "The model sees"
    st.text(f"{said}: {name} ({probability:.0%})")
    if len(verdict.classes) > 1:
        st.dataframe(
            {
                "Article type": [each for each, _ in verdict.classes],
                "Probability": [100 * value for _, value in verdict.classes],
            },
            hide_index=True,
            width=360,
            column_config={
                "Probability": st.column_config.ProgressColumn(
                    format="%.1f%%", min_value=0, max_value=100
                )
            },
        )


def search(
    source: Warehouse, vector: Any, filters: Filters, but: int = -1
) -> list[tuple[int, float]]:
    """Return ids and similarities of the products most similar to a vector [d], under filters, and
    without the product `but`.
    """
    searchable = source.searchable
    assert searchable is not None
    among = None
    if filters or but >= 0:
        sql = f"SELECT product_id FROM catalogue WHERE {filters.where} AND product_id <> ?"
        among = np.isin(searchable.ids, source.rows(sql, [*filters.values, but])["product_id"])
    return searchable.nearest(vector, _K, among)


def draw_results(
    source: Warehouse, found: list[tuple[int, float]], told: dict[str, Any], name: str = "found"
) -> None:
    """Draw ids with their similarities as products, each with what it shares with one `told` of."""
    if not found:
        st.info("No product fits these filters.", icon=":material/filter_alt_off:")
        return
    known = catalogue.told_of(source, [int(i) for i, _ in found])
    products = pd.DataFrame(
        [
            {"product_id": int(i), "name": name_of(known[int(i)]), "similarity": value}
            for i, value in found
            if int(i) in known  # else a night has removed it since the search was written
        ],
        columns=["product_id", "name", "similarity"],
    )
    drawing.grid(
        source,
        products,
        lambda row: [f"{row['similarity']:.3f}", reason_of(told, known[row["product_id"]])],
        lambda row: lead_on(name, row, told.get("product_id")),
    )


def lead_on(where: str, product: drawing.Product, first: int | None = None) -> None:
    """Draw buttons that go on to a product, and that compare it with the first one."""
    product_id = int(product["product_id"])
    st.button(
        str(product_id),
        key=f"{where}-{product_id}",
        icon=":material/image_search:",
        type="tertiary",
        help="Find products similar to this one",
        on_click=_go_to,
        args=(product_id,),
    )
    if first is not None and first != product_id:
        st.button(
            "Compare",
            key=f"{where}-{product_id}-compare",
            icon=":material/compare_arrows:",
            type="tertiary",
            on_click=_go_to,
            args=(first, product_id),
        )


def _go_to(product_id: int, compared: int | None = None) -> None:
    """Show another product under the same filters; no link, which would leave the URL as it is."""
    for name in ("by", "compare"):
        st.query_params.pop(name, None)
    st.query_params["product"] = str(product_id)
    if compared is not None:
        st.query_params["compare"] = str(compared)
    st.session_state["search"] = ""


def name_of(told: dict[str, Any]) -> str:
    """Return a product's name, empty where the catalogue gives none."""
    return str(told.get("product_display_name", ""))


def not_searchable() -> None:
    """Say why no picture can be searched with."""
    st.info(f"No picture can be searched for yet: the next night ({page.NIGHTLY}) sees to it.")
