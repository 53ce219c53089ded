"""A model version's README: what it is, how it was made, and how good it was found."""

from fashionrec.training.plan import Plan

# What a reader asks about first; model.json has every setting.
_TOLD = (
    "split",
    "epochs",
    "batch_size",
    "learning_rate",
    "schedule",
    "label_smoothing",
    "ema_decay",
    "seed",
)


def readme(plan: Plan, metrics: dict[str, float], threshold: float, rows: dict[str, int]) -> bytes:
    """Return the card as Markdown; `rows` counts those to train and to validate."""
    settings, seen = plan.settings, plan.blueprint.preprocessing
    heads = ", ".join(
        f"{n.replace('_', ' ')} ({len(k)})" for n, k in plan.blueprint.classes.items()
    )
    recipe = ", ".join(f"{name} {getattr(settings, name)}" for name in _TOLD)
    figures = "\n".join(f"| {name.replace('_', ' ')} | {metrics[name]:.4g} |" for name in metrics)
    return f"""# {settings.name}

A {plan.blueprint.architecture}, trained from {plan.start_version or "random weights"} at
{seen.height}x{seen.width} (height x width) on {rows["train"]:,} products and validated on
{rows["validation"]:,}. It tells {heads}.

Recipe: {recipe}; `model.json` has every setting. A prediction is accepted from a probability of
{threshold:.4f} on. `training_products.txt` lists the products that its training saw, which an
evaluation leaves out.

On the validation rows, from which the best epoch and the threshold were chosen too:

| figure | value |
| --- | --- |
{figures}
""".encode()
