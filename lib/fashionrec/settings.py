"""Types and bounds of the settings of a night, section by section; see `config`."""

import re
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError


class Settings(BaseModel):
    """A section of the configuration: fixed once it is made, and without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


# Bounds that no machine reaches: a slip of the keyboard is told at once, and not by a crash.
Few = Annotated[int, Field(gt=0, le=100_000)]
Many = Annotated[int, Field(gt=0, le=1 << 40)]
Share = Annotated[float, Field(ge=0, le=1)]

_WEB = re.compile(r"(?i)https?://[^\s/?#@\\]+([/?][^\s\\]*)?")
_HOST = r"(?i)^([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:[0-9]+)?$"  # no URL, and no pattern of hosts

_HOST_ALONE = r"(?i)^([a-z0-9_.-]+|[0-9a-f:.]+)$"
_EMAIL = r"^[^@\s]*@[^@\s]+$"


class SampleSettings(Settings):
    """[sample]: the catalogue that the project draws for itself."""

    folder: str
    products: int = Field(ge=60, le=1_000_000)
    seed: int


class IngestSettings(Settings):
    """[ingest]: what of a catalogue is accepted."""

    max_pixels: Many
    max_bytes: Many
    null_values: list[str]
    max_removed_share: Share
    fetch_links: bool


ExpectationName = Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]


class ExpectationSettings(Settings):
    """[expectations.NAME]: a condition in SQL, and what happens past the share that may fail it."""

    holds: str = Field(min_length=1)
    limit: Share
    severity: Literal["refuse", "warn", "off"]


Expectations = dict[ExpectationName, ExpectationSettings]


class FetchSettings(Settings):
    """[fetch]: what a URL may cost, and which hosts may be inside the own network."""

    max_bytes: Many
    max_seconds: float = Field(gt=0)
    max_redirects: int = Field(ge=0, le=100)
    allow_hosts: list[Annotated[str, Field(pattern=_HOST)]]


class EmbedSettings(Settings):
    """[embed]: how pictures become embeddings."""

    device: Literal["auto", "cpu", "cuda"]
    engine: Literal["auto", "openvino", "torch"]
    batch_size: Few
    commit_every: Many
    keep_versions: int = Field(ge=0)


Attribute = Literal[
    "gender",
    "master_category",
    "sub_category",
    "article_type",
    "base_colour",
    "season",
    "year",
    "usage",
    "product_display_name",
    "brand",
    "age_group",
    "fashion_type",
]
AttributeValue = Annotated[str, Field(pattern=f"^({'|'.join(get_args(Attribute))})=")]
ListName = Annotated[str, Field(pattern="^[a-z0-9_]+$")]


class ListSettings(Settings):
    """[neighbours.lists.NAME]: the rules of a list."""

    enabled: bool
    match: list[Attribute]
    universal: list[AttributeValue]
    differ: list[Attribute]
    exclude: list[AttributeValue]
    at_most: int = Field(ge=0)
    at_most_per: Attribute
    min_similarity: float = Field(ge=-1, le=1)
    max_similarity: float = Field(ge=-1, le=1)

    @field_validator("universal")
    @classmethod
    def _is_of_a_matched_column(cls, values: list[str], info: ValidationInfo) -> list[str]:
        for value in values:
            column = value.partition("=")[0]
            if column not in info.data.get("match", [column]):
                raise ValueError(f"{column} must be in 'match' to have universal values")
        return values


class NeighbourSettings(Settings):
    """[neighbours]: how many, in which portions, and by which rules."""

    k: Few
    reserve: int = Field(ge=0, le=100_000)
    tile: Many
    exact_up_to: int = Field(ge=0)
    probes: Few
    min_recall: Share
    lists: dict[ListName, ListSettings]


class DuplicateSettings(Settings):
    """[near_duplicates]: from what similarity on two products are shots of the same thing."""

    similarity: float = Field(ge=-1, le=1)
    same_name: float = Field(ge=-1, le=1)


class LockSettings(Settings):
    """[lock]: what a run does where another one holds the warehouse."""

    wait_seconds: float = Field(ge=0)
    dead_after_seconds: float = Field(gt=60)


class SqlServerSettings(Settings):
    """[sql_server]: where Spark's Thrift server listens."""

    host: str = Field(min_length=1)
    port: int = Field(ge=1, le=65_535)


class MetastoreSettings(Settings):
    """[metastore]: where the tables are registered, for whoever uses Spark's catalogue."""

    schema_name: str = Field(alias="schema", pattern=r"^(\w+(\.\w+)?)?$")


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


class DashboardSettings(Settings):
    """[dashboard]: where the web page listens, and how much it shows at once."""

    host: str = Field(pattern=_HOST_ALONE)
    port: int = Field(gt=0, lt=1 << 16)
    secrets: str = Field(pattern=r"^[^\x00]*$")
    allow_emails: list[Annotated[str, Field(pattern=_EMAIL)]]
    products_per_page: int = Field(gt=0, le=200)
    points_of_map: int = Field(gt=0, le=10_000)
