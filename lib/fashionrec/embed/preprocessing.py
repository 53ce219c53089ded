"""What a model wants to see: it belongs to the model, so its folder says it."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Spread = Annotated[float, Field(gt=0)]


class Preprocessing(BaseModel):
    """What a picture is turned into: RGB, `height` x `width` pixels, normalised per channel.

    `stretch` ignores the proportions; `shorter_side` scales the shorter side to that many pixels
    and cuts the centre out. Both interpolate bilinearly with antialiasing.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    height: int = Field(gt=0, le=4096)
    width: int = Field(gt=0, le=4096)
    resize: Literal["stretch", "shorter_side"]
    shorter_side: int | None = Field(default=None, gt=0, le=4096)
    mean: tuple[float, float, float]
    std: tuple[Spread, Spread, Spread]


# The study's transforms: Resize 256, CenterCrop 224, and ImageNet's normalisation.
STUDY = Preprocessing(
    height=224,
    width=224,
    resize="shorter_side",
    shorter_side=256,
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
)
