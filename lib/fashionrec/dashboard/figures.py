"""Figures from rows: plotly, no Streamlit. Colours come from the page's theme, light or dark."""

from collections.abc import Sequence
from html import escape

import numpy as np
import pandas as pd
import plotly.express as px
import plotly.graph_objects as go

from fashionrec.dashboard.theme import CATEGORIES, SEQUENCE

_MARGIN = {"l": 8, "r": 8, "t": 8, "b": 8}
_COUNT = "products"
_LONGEST = 40
_LEGIBLE = {"minsize": 9, "mode": "hide"}  # what does not fit in this size is told where one points


def label(text: object) -> str:
    """Return a text that plotly shows as it is: it would take a catalogue's <b> for markup."""
    shown = str(text)
    shown = shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"
    return escape(shown, quote=False)


def _labelled(rows: pd.DataFrame, *columns: str) -> pd.DataFrame:
    return rows.assign(**{name: rows[name].map(label) for name in columns})


def _tidy(figure: go.Figure, height: int = 420) -> go.Figure:
    figure.update_layout(
        margin=_MARGIN,
        height=height,
        separators=".,",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "title": None},
        colorway=CATEGORIES,
    )
    figure.update_xaxes(title=None, automargin=True)
    figure.update_yaxes(title=None, automargin=True)
    return figure


def bars(rows: pd.DataFrame, name: str) -> go.Figure:
    """Products per value of a column, the most first."""
    figure = px.bar(_labelled(rows, name), x=_COUNT, y=name, orientation="h", text=_COUNT)
    figure.update_traces(
        texttemplate="%{x:,}", textangle=0, hovertemplate="%{y}: %{x:,}<extra></extra>"
    )
    figure.update_yaxes(autorange="reversed", type="category")
    figure.update_xaxes(tickformat=",")
    return _tidy(figure, height=max(280, 26 * len(rows) + 60))


def donut(rows: pd.DataFrame, name: str) -> go.Figure:
    """Shares of the values of a column."""
    figure = px.pie(_labelled(rows, name), names=name, values=_COUNT, hole=0.55)
    figure.update_traces(
        textinfo="percent",
        textposition="inside",
        insidetextorientation="horizontal",
        hovertemplate="%{label}: %{value:,} (%{percent})<extra></extra>",
    )
    return _tidy(figure).update_layout(uniformtext=_LEGIBLE)


def hierarchy(rows: pd.DataFrame, path: Sequence[str], *, sunburst: bool) -> go.Figure:
    """Products by columns within columns, as rectangles or as rings."""
    draw = px.sunburst if sunburst else px.treemap
    figure = draw(_labelled(rows, *path), path=list(path), values=_COUNT)
    figure.update_traces(
        hovertemplate="%{label}<br>%{value:,} products<br>%{percentParent} of %{parent}"
        "<extra></extra>"
    )
    return _tidy(figure, height=560).update_layout(uniformtext=_LEGIBLE)


def funnel(rows: pd.DataFrame) -> go.Figure:
    """How many products are left at each step of the flow."""
    figure = px.funnel(_labelled(rows, "step"), x=_COUNT, y="step")
    figure.update_traces(
        texttemplate="%{x:,}  (%{percentInitial:.2%})",
        hovertemplate="%{y}: %{x:,}<extra></extra>",
    )
    return _tidy(figure, height=360)


def over_years(rows: pd.DataFrame, name: str, kind: str) -> go.Figure:
    """Products per year and value of a column: an 'area', or 'bars' on one another."""
    draw = px.area if kind == "area" else px.bar
    figure = draw(_labelled(rows, name), x="year", y=_COUNT, color=name)
    figure.update_traces(hovertemplate="%{x}: %{y:,}<extra>%{fullData.name}</extra>")
    ends = [rows["year"].min() - 0.5, rows["year"].max() + 0.5]  # else the last label is cut off
    figure.update_xaxes(dtick=1, tickformat="d", range=ends)
    figure.update_yaxes(tickformat=",")
    return _tidy(figure)


def growth(rows: pd.DataFrame) -> go.Figure:
    """Products per year, and how many percent more than the year before."""
    figure = go.Figure()
    figure.add_scatter(
        x=rows["year"],
        y=rows[_COUNT],
        name=_COUNT,
        mode="lines+markers",
        hovertemplate="%{x}: %{y:,}<extra></extra>",
    )
    figure.add_scatter(
        x=rows["year"],
        y=rows["growth"],
        name="growth in percent (right axis)",
        yaxis="y2",
        mode="lines+markers",
        line={"dash": "dot"},
        hovertemplate="%{x}: %{y:+,.0f}%<extra></extra>",
    )
    right = {"overlaying": "y", "side": "right", "showgrid": False, "tickmode": "auto"}
    figure.update_layout(yaxis2=right | {"tickformat": ",.0f", "ticksuffix": "%"})
    figure.update_xaxes(dtick=1, tickformat="d")
    figure.update_layout(yaxis={"tickformat": ","})
    return _tidy(figure)


def heat_map(rows: pd.DataFrame, down: str, across: str, value: str = _COUNT) -> go.Figure:
    """A value by two columns; a cell without rows stays empty."""
    table = rows.pivot_table(index=down, columns=across, values=value, aggfunc="sum")
    figure = go.Figure(
        go.Heatmap(
            z=table.to_numpy(),
            x=[label(each) for each in table.columns],
            y=[label(each) for each in table.index],
            texttemplate="%{z:,}",
            hovertemplate=f"%{{y}} / %{{x}}: %{{z:,}} {value}<extra></extra>",
            colorscale=SEQUENCE,
            showscale=False,
            xgap=2,
            ygap=2,
        )
    )
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False)
    figure.update_xaxes(type="category", showgrid=False)
    return _tidy(figure)


def confusion(rows: pd.DataFrame) -> go.Figure:
    """Share of each catalogued type (down) that the model calls each type (across), in percent."""
    counts = rows.pivot_table(
        index="catalogued", columns="predicted", values=_COUNT, aggfunc="sum", fill_value=0
    )
    names = sorted({*counts.index, *counts.columns})
    counts = counts.reindex(index=names, columns=names, fill_value=0)
    totals = counts.sum(axis=1).to_numpy()[:, None]
    shares = 100 * counts.to_numpy() / np.maximum(totals, 1)
    shown = [label(name) for name in names]
    figure = go.Figure(
        go.Heatmap(
            z=np.where(counts.to_numpy() > 0, shares, np.nan),
            customdata=counts.to_numpy(),
            x=shown,
            y=shown,
            zmin=0,
            zmax=100,
            colorscale=SEQUENCE,
            hovertemplate="%{y}, called %{x}: %{z:.1f}% (%{customdata:,})<extra></extra>",
            colorbar={"ticksuffix": "%", "thickness": 12},
        )
    )
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False, dtick=1)
    figure.update_xaxes(type="category", showgrid=False, tickangle=-90)
    figure = _tidy(figure, height=max(420, 18 * len(names) + 160))
    figure.update_xaxes(title="called by the model")
    return figure.update_yaxes(title="catalogued as")


def steps(rows: pd.DataFrame) -> go.Figure:
    """Seconds of each run, by step."""
    figure = px.bar(_labelled(rows, "run", "step"), x="run", y="seconds", color="step")
    figure.update_traces(hovertemplate="%{x}: %{y:,.1f} s<extra>%{fullData.name}</extra>")
    figure.update_xaxes(type="category", tickangle=-60)
    figure.update_yaxes(tickformat=",", ticksuffix=" s")
    return _tidy(figure, height=340)


def precision(rows: pd.DataFrame) -> go.Figure:
    """Precision of each system's lists, with its interval, by what makes a neighbour a good one."""
    shown = _labelled(rows, "system", "neighbour").assign(
        more=rows["high"] - rows["value"], less=rows["value"] - rows["low"]
    )
    figure = px.bar(
        shown,
        x="neighbour",
        y="value",
        color="system",
        barmode="group",
        error_y="more",
        error_y_minus="less",
    )
    figure.update_traces(hovertemplate="%{x}: %{y:.3f}<extra>%{fullData.name}</extra>")
    figure.update_yaxes(tickformat=".0%")
    return _tidy(figure, height=360)
