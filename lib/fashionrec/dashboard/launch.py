"""Starting the web page: Streamlit's server, in this process, over one warehouse."""

import logging
import socket
import sys
from pathlib import Path

from streamlit.web import bootstrap

from fashionrec.config import Config
from fashionrec.dashboard.access import log_in_of
from fashionrec.dashboard.theme import streamlit_options
from fashionrec.errors import FashionrecError

log = logging.getLogger(__name__)
_APP = Path(__file__).parent / "app.py"


def launch(config: Config) -> None:
    """Serve the page until it is interrupted; `config.warehouse` is an absolute path.

    Raises:
        UsageError: it would be seen beyond this machine without a log-in.
        FashionrecError: its address cannot be listened on.
    """
    settings = config.dashboard
    log_in_of(settings)
    _check_address(settings.host, settings.port)
    # Streamlit offers its own settings to files and the environment; ours go before them.
    options = streamlit_options(config)
    bootstrap.load_config_options(options)
    logging.getLogger("streamlit").setLevel(logging.WARNING)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    print(f"http://{host}:{settings.port}", flush=True)
    print("Ctrl-C ends it", file=sys.stderr)
    bootstrap.run(str(_APP), False, [config.model_dump_json(by_alias=True)], options)


def _check_address(host: str, port: int) -> None:
    """Streamlit would take another port, or end with a stack trace."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(*found[:3]) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(found[4])
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "no such host"
        raise FashionrecError(
            f"{host}:{port} cannot be listened on ({reason}): set dashboard.host or dashboard.port"
        ) from error
