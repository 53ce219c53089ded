"""The page's colours, in light and dark, and the options that Streamlit is started with."""

from typing import Any

from fashionrec.config import Config, resolve
from fashionrec.urls import is_loopback

# Told apart by people with colour blindness as well, on white and on dark.
CATEGORIES = [
    "#3b6fd4",
    "#e0823d",
    "#2a9d8f",
    "#c94f7c",
    "#8a6fc9",
    "#b59b22",
    "#5aa9e6",
    "#7f8c9b",
    "#a65e2e",
    "#5f9e4a",
]
SEQUENCE = [
    "#eaf1fb",
    "#d2e1f6",
    "#b4cdf0",
    "#93b6e8",
    "#719edf",
    "#5286d5",
    "#3b6fd4",
    "#2f58ad",
    "#244385",
    "#1a2f5e",
]
_BOTH = {
    "primaryColor": "#3b6fd4",
    "chartCategoricalColors": CATEGORIES,
    "chartSequentialColors": SEQUENCE,
    "baseRadius": "0.6rem",
    "headingFontSizes": ["1.9rem", "1.4rem", "1.15rem"],
    "paddingTop": "1.5rem",
}
_LIGHT = {
    "backgroundColor": "#ffffff",
    "secondaryBackgroundColor": "#f4f6fa",
    "textColor": "#1c2430",
    "borderColor": "#dde3ec",
}
_DARK = {
    "backgroundColor": "#12161d",
    "secondaryBackgroundColor": "#1b212b",
    "textColor": "#e7ebf2",
    "borderColor": "#303946",
    "primaryColor": "#6f9bf0",
}


def streamlit_options(config: Config) -> dict[str, Any]:
    """Return Streamlit's options, by their names; they go before any file of the user's."""
    settings = config.dashboard
    themes = {"light": _BOTH | _LIGHT, "dark": _BOTH | _DARK}
    colours = {
        f"theme.{kind}.{name}": value
        for kind, theme in themes.items()
        for name, value in theme.items()
    }
    own = is_loopback(settings.host)
    return colours | {
        "theme.baseFontSize": 15,
        "theme.metricValueFontSize": "1.7rem",
        "server.address": settings.host,
        "server.port": settings.port,
        "server.headless": True,
        "server.enableCORS": True,
        "server.enableXsrfProtection": True,
        # A name that somebody else's server resolves to this machine is none of ours.
        "server.allowedHosts": ["localhost", "127.0.0.1", "[::1]", "::1"] if own else [],
        "server.maxUploadSize": max(1, -(-config.ingest.max_bytes >> 20)),
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": False,
        "client.showErrorDetails": "none",
        "client.toolbarMode": "viewer",
        "runner.magicEnabled": False,
        "secrets.files": [str(resolve(settings.secrets))] if settings.secrets else [],
    }
