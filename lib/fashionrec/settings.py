"""Types and bounds of the settings by which models are trained and judged; see `config`."""

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError


class Settings(BaseModel):
    """A section of the configuration: fixed once it is made, and without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


Head = Literal["gender", "base_colour"]
_WEB = re.compile(r"(?i)https?://[^\s/?#@\\]+([/?][^\s\\]*)?")
Share = Annotated[float, Field(ge=0, le=1)]
# Bounds that no machine reaches: a slip of the keyboard is told at once, and not by a crash.
Seed = Annotated[int, Field(ge=0, lt=1 << 32)]
Few = Annotated[int, Field(gt=0, le=100_000)]
Many = Annotated[int, Field(gt=0, le=1 << 40)]


class FinetuneSettings(Settings):
    """[finetune]: the training set, the recipe, and where it runs."""

    name: str = Field(pattern=r"^[\w.-]+$")
    folder: str = Field(min_length=1)
    start: str = Field(min_length=1)
    architecture: str
    size: list[Annotated[int, Field(gt=0, le=4096)]]
    new_heads: bool
    seed: Seed
    min_images: Many
    sample: int = Field(ge=0)
    train_share: float = Field(gt=0, lt=1)
    largest_types: int = Field(ge=0)
    split: Literal["name", "random", "year"]
    row_group: Few
    shuffle_rows: Many
    epochs: Few
    batch_size: Few
    learning_rate: float = Field(gt=0)
    momentum: float = Field(ge=0, lt=1)
    nesterov: bool
    weight_decay: float = Field(ge=0)
    schedule: Literal["step", "cosine"]
    step_epochs: Few
    step_factor: float = Field(gt=0, le=1)
    warmup_epochs: float = Field(ge=0)
    label_smoothing: float = Field(ge=0, lt=1)
    ema_decay: float = Field(ge=0, lt=1)
    heads: list[Head]
    head_weight: float = Field(ge=0)
    flip: Share
    scale: list[Annotated[float, Field(gt=0)]] = Field(min_length=2, max_length=2)
    shift: Share
    amp: bool
    channels_last: bool
    device: Literal["auto", "cpu", "cuda"]
    processes: int = Field(ge=0)
    across_executors: bool
    target_accuracy: Share

    @field_validator("size")
    @classmethod
    def _is_two_or_none(cls, size: list[int]) -> list[int]:
        if len(size) not in (0, 2):
            raise ValueError("give [height, width], or [] for the start model's")
        return size


class EvaluateSettings(Settings):
    """[evaluate]: how a model version is judged."""

    folder: str = Field(min_length=1)
    k: Few
    resamples: Few
    seed: Seed
    max_slice_gap: float = Field(ge=0, le=1)
    min_slice: int = Field(ge=0)


class PromoteSettings(Settings):
    """[promote]: when a model version may become the current one."""

    tolerance: float = Field(ge=0, le=1)


class LockSettings(Settings):
    """[lock]: what a run does where another one holds the warehouse."""

    wait_seconds: float = Field(ge=0)
    dead_after_seconds: float = Field(gt=60)


class NotifySettings(Settings):
    """[notify]: who is told of a run that did not succeed."""

    webhook: str
    max_seconds: float = Field(gt=0)

    @field_validator("webhook")
    @classmethod
    def _is_a_url(cls, webhook: str) -> str:
        if webhook and not _WEB.fullmatch(webhook):
            raise PydanticCustomError("secret", "give an http or https URL, without a password")
        return webhook


class MaintainSettings(Settings):
    """[maintain]: how the tables' files are kept in order, and what is kept of the past."""

    every_days: float = Field(ge=0)
    file_bytes: int = Field(ge=1 << 20)
    sort_bytes: int = Field(ge=0)
    keep_hours: int = Field(ge=1)
    keep_runs_days: int = Field(ge=1)


class AuditSettings(Settings):
    """[audits.RULE]: the most that is let through, and what happens past it."""

    limit: float = Field(ge=0)
    severity: Literal["refuse", "warn", "off"]
