"""MLflow, where MLFLOW_TRACKING_URI is set and the package is installed."""

import importlib
import importlib.util
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fashionrec.errors import FashionrecError

_URI = "MLFLOW_TRACKING_URI"
Report = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class Tracking:
    """Where a run is tracked, under which name, and with which settings."""

    uri: str
    run: str
    settings: dict[str, Any]


def tracking_of(run: str, settings: dict[str, Any]) -> Tracking | None:
    """Return how to track a run; None where the environment names no server.

    Raises:
        FashionrecError: it names one, but the package is missing.
    """
    uri = os.environ.get(_URI)
    if not uri:
        return None
    if importlib.util.find_spec("mlflow") is None:
        raise FashionrecError(
            f"{_URI} is set, but mlflow is not installed: install mlflow-skinny into the "
            "environment, or unset the variable"
        )
    return Tracking(uri, run, settings)


@contextmanager
def tracked(tracking: Tracking | None) -> Iterator[Report]:
    """Return what to call with the figures of each epoch."""
    if tracking is None:
        yield lambda _epoch, _figures: None
        return
    mlflow = importlib.import_module("mlflow")
    mlflow.set_tracking_uri(tracking.uri)
    mlflow.set_experiment("fashionrec")
    with mlflow.start_run(run_name=tracking.run):
        mlflow.log_params(tracking.settings)
        yield lambda epoch, figures: mlflow.log_metrics(figures, step=epoch)
