"""Settings: the defaults of conf, then each --config file, then each --set, checked as a whole.

Values live in conf/default.toml and conf/expectations.toml alone, with their comments; `settings`
and `model_settings` hold their types and bounds.
"""

import difflib
import os
import reprlib
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails

from fashionrec.errors import UsageError
from fashionrec.model_settings import EvaluateSettings, FinetuneSettings, PromoteSettings
from fashionrec.paths import at, is_remote
from fashionrec.settings import (
    AuditSettings,
    DashboardSettings,
    DuplicateSettings,
    EmbedSettings,
    Expectations,
    FetchSettings,
    IngestSettings,
    LockSettings,
    MaintainSettings,
    MetastoreSettings,
    NeighbourSettings,
    NotifySettings,
    SampleSettings,
    Settings,
    SqlServerSettings,
)

_CONF = Path(__file__).parent / "conf"
DEFAULTS = (_CONF / "default.toml", _CONF / "expectations.toml")
# Settings that may hold a secret, which neither a file nor a command line should.
_ENVIRONMENT = {"FASHIONREC_WEBHOOK": "notify.webhook"}
_MOST_CHARACTERS = 1 << 20  # of a file of settings

Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]  # no path has a null character


def project_home() -> Path:
    """Return the folder that relative paths of the configuration are below."""
    return Path(os.environ.get("FASHIONREC_HOME", ".")).resolve()


class Config(Settings):
    """All settings."""

    catalogue: Text
    warehouse: Text = Field(min_length=1)
    model: Text = Field(min_length=1)
    sample: SampleSettings
    ingest: IngestSettings
    expectations: Expectations
    fetch: FetchSettings
    embed: EmbedSettings
    neighbours: NeighbourSettings
    near_duplicates: DuplicateSettings
    finetune: FinetuneSettings
    evaluate: EvaluateSettings
    promote: PromoteSettings
    audits: dict[str, AuditSettings]
    lock: LockSettings
    maintain: MaintainSettings
    notify: NotifySettings
    dashboard: DashboardSettings
    sql_server: SqlServerSettings
    metastore: MetastoreSettings


def load(files: Sequence[Path] = (), overrides: Sequence[str] = ()) -> Config:
    """Return the settings of the defaults, then `files`, then the environment's, then `overrides`.

    An override is "section.key=value".

    Raises:
        UsageError: naming the file, the setting and what would be right.
    """
    values = defaults()
    try:
        for file in files:
            _merge(values, _read_toml(file), str(file))
        for variable, key in _ENVIRONMENT.items():
            if value := os.environ.get(variable):
                _merge(values, _nested(key, value), variable)
        for override in overrides:
            _merge(values, _parse_override(override), f"--set {override}")
        return Config.model_validate(values)
    except ValidationError as error:
        raise UsageError("; ".join(map(_describe, error.errors()))) from error
    except RecursionError as error:
        raise UsageError("settings: are nested too deeply") from error


def defaults() -> dict[str, Any]:
    """Return the settings as the files of conf have them."""
    return {section: value for file in DEFAULTS for section, value in _read_toml(file).items()}


def resolve(path: str) -> Path:
    """Return a configured path as an absolute one, below the project's folder if relative.

    Raises:
        UsageError: it is a URI of no kind that is known here.
    """
    return at(path) if is_remote(path) else project_home() / os.path.expanduser(path)


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        with file.open(encoding="utf-8-sig") as stream:
            text = stream.read(_MOST_CHARACTERS)
        if len(text) == _MOST_CHARACTERS:
            raise UsageError(f"{file}: is too large for a file of settings")
        return tomllib.loads(text)
    except OSError as error:
        raise UsageError(f"{file}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:  # not TOML, or not UTF-8
        raise UsageError(f"{file}: is not TOML: {error}") from error


def _parse_override(override: str) -> dict[str, Any]:
    key, equals, text = override.partition("=")
    if not equals or not all(key.split(".")):
        raise UsageError(f"--set {override}: give key=value, as in --set embed.batch_size=64")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        value = text  # a bare word is a string: --set embed.device=cpu
    return _nested(key, value)


def _nested(key: str, value: Any) -> dict[str, Any]:
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value)


def _merge(values: dict[str, Any], changes: dict[str, Any], source: str) -> None:
    """Put `changes` over `values`; only lists and expectations may be new."""
    for path, value in _leaves(changes):
        _begin(values, path)
        section = values
        for i, part in enumerate(path[:-1]):
            section = section.setdefault(part, {})
            if not isinstance(section, dict):
                raise UsageError(f"{source}: '{'.'.join(path[: i + 1])}' is no section")
        if path[-1] not in section:
            raise UsageError(f"{source}: {_unknown_setting('.'.join(path), values)}")
        section[path[-1]] = value


def _begin(values: dict[str, Any], path: tuple[str, ...]) -> None:
    """Give a new list the settings of the one without rules, and a new expectation mild ones."""
    match path:
        case ("neighbours", "lists", name, _, *_):
            above = values["neighbours"]
            section = above["lists"] if isinstance(above, dict) else None
        case ("expectations", name, _, *_):
            section = values["expectations"]
        case _:
            return
    if not isinstance(section, dict) or name in section:
        return
    if path[0] == "expectations":
        section[name] = {"holds": "", "limit": 0.0, "severity": "warn"}
    else:
        section[name] = defaults()["neighbours"]["lists"]["similar"]


def _leaves(
    values: dict[str, Any], above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key), value


def _unknown_setting(name: str, values: dict[str, Any]) -> str:
    known = [".".join(path) for path, _ in _leaves(values)]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean '{near[0]}'?" if near else "conf/default.toml lists them"
    return f"there is no setting '{name}': {hint}"


def _describe(error: ErrorDetails) -> str:
    name = ".".join(map(str, error["loc"]))
    found = "" if error["type"] == "secret" else f", not {reprlib.repr(error['input'])}"
    return f"setting '{name}': {error['msg'].lower()}{found}"
