"""Types and bounds of the settings by which models are trained and judged; see `config`."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from fashionrec.settings import Few, Many, Settings, Share

Head = Literal["gender", "base_colour"]
Seed = Annotated[int, Field(ge=0, lt=1 << 32)]


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
    max_slice_gap: Share
    min_slice: int = Field(ge=0)


class PromoteSettings(Settings):
    """[promote]: when a model version may become the current one."""

    tolerance: Share
