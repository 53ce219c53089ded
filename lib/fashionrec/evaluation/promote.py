"""The step `promote`: a model version becomes the current one, if it is not worse."""

from fashionrec.errors import RefusedError
from fashionrec.evaluation.evaluate import Evaluation
from fashionrec.model_settings import PromoteSettings
from fashionrec.models import make_current
from fashionrec.store import Store


def promote(store: Store, evaluation: Evaluation, settings: PromoteSettings) -> list[str]:
    """Make the judged model the current one; return the comparisons.

    Raises:
        RefusedError: it is worse than the current one by more than the setting allows.
    """
    told = compare(evaluation, settings)
    worse = [line for line, is_worse in told if is_worse]
    if worse:
        raise RefusedError(
            f"{evaluation.candidate.version} is not promoted: {'; '.join(worse)} "
            f"(promote.tolerance = {settings.tolerance})"
        )
    make_current(store, evaluation.candidate)
    return [line for line, _ in told]


def compare(evaluation: Evaluation, settings: PromoteSettings) -> list[tuple[str, bool]]:
    """Return a line per measure, and whether the candidate is worse in it."""
    names = evaluation.candidate.version, evaluation.current.version
    figures = evaluation.figures
    measures = {
        "precision for article type": [
            figures["retrieval"][name]["precision"]["article type"]["value"] for name in names
        ]
    }
    if evaluation.current.classes:
        measures["top-1 accuracy"] = [
            figures["classification"][name]["top1"]["value"] if name in figures["classification"]
            else 0.0
            for name in names
        ]  # fmt: skip
    return [
        (f"{measure} {new:.4f}, the current model's {old:.4f}", new < old - settings.tolerance)
        for measure, (new, old) in measures.items()
    ]
