"""MLflow, where MLFLOW_TRACKING_URI is set and the package is installed."""

import importlib
import importlib.util
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from fashionrec.errors import FashionrecError, one_line

log = logging.getLogger(__name__)

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
    """Return what to call with the figures of each epoch.

    Raises:
        FashionrecError: MLflow cannot write there.
    """
    if tracking is None:
        yield lambda _epoch, _figures: None
        return
    mlflow = importlib.import_module("mlflow")
    try:
        mlflow.set_tracking_uri(tracking.uri)
        mlflow.set_experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME", "fashionrec"))
        run = mlflow.start_run(run_name=tracking.run)
        mlflow.log_params(tracking.settings)
    except Exception as error:  # MLflow's own, or whatever its stores raise
        raise FashionrecError(f"{_URI}: {one_line(error)}") from error
    with run:
        yield partial(_log_epoch, mlflow)


def _log_epoch(mlflow: Any, epoch: int, figures: dict[str, float]) -> None:
    try:
        mlflow.log_metrics(figures, step=epoch)
    except Exception as error:
        # Hours of training are worth more than a point of a curve.
        log.warning("finetune: epoch %d is not on MLflow: %s", epoch + 1, one_line(error))
