"""Settings: what differs from the defaults, in which order, and the message for each mistake."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from fashionrec.config import DEFAULTS, load, project_home, resolve
from fashionrec.errors import UsageError


def defaults() -> dict[str, Any]:
    return {k: v for file in DEFAULTS for k, v in tomllib.loads(file.read_text()).items()}


def with_changes(**sections: Any) -> dict[str, Any]:
    """The defaults with changes one level down."""
    return {
        name: value | sections.get(name, {})
        if isinstance(value, dict)
        else sections.get(name, value)
        for name, value in defaults().items()
    }


def written(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def message_of(*overrides: str, files: tuple[Path, ...] = ()) -> str:
    with pytest.raises(UsageError) as raised:
        load(files, overrides)
    assert raised.value.exit_status == 2
    return str(raised.value)


def test_without_changes_the_defaults_hold_as_they_are_written() -> None:
    assert load().model_dump(by_alias=True) == defaults()


def test_settings_cannot_be_changed_afterwards() -> None:
    config = load()
    with pytest.raises(ValidationError, match="frozen"):
        config.warehouse = "elsewhere"


def test_later_files_win_over_earlier_and_set_over_files(tmp_path: Path) -> None:
    first = written(tmp_path, "1.toml", 'warehouse = "one"\nmodel = "m"\n[embed]\nbatch_size = 1\n')
    second = written(tmp_path, "2.toml", 'warehouse = "two"\r\n[embed]\r\ncommit_every = 2\r\n')
    expected = with_changes(warehouse="two", model="m", embed={"batch_size": 1, "commit_every": 2})
    assert load([first, second]).model_dump(by_alias=True) == expected
    assert load([second, first]).model_dump(by_alias=True) == expected | {"warehouse": "one"}
    sets = ["warehouse=three", "embed.batch_size=8", "embed.batch_size=9"]
    expected = with_changes(
        warehouse="three", model="m", embed={"batch_size": 9, "commit_every": 2}
    )
    assert load([first, second], sets).model_dump(by_alias=True) == expected


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "[embed]\n", "embed = {}\n"])
def test_a_file_without_differences_changes_nothing(tmp_path: Path, text: str) -> None:
    assert load([written(tmp_path, "c.toml", text)]).model_dump(by_alias=True) == defaults()


def test_a_list_is_replaced_and_not_added_to(tmp_path: Path) -> None:
    path = written(tmp_path, "c.toml", '[ingest]\nnull_values = ["-"]\n')
    assert load([path]).ingest.null_values == ["-"]
    assert load([path], ["ingest.null_values=[]"]).ingest.null_values == []


@pytest.mark.parametrize(
    ("override", "changes"),
    [
        ("embed.batch_size=64", {"embed": {"batch_size": 64}}),
        ("embed.batch_size=1_000", {"embed": {"batch_size": 1000}}),
        ("embed.batch_size= 64 ", {"embed": {"batch_size": 64}}),
        ("embed={batch_size=64, device='cpu'}", {"embed": {"batch_size": 64, "device": "cpu"}}),
        ("embed.device=cpu", {"embed": {"device": "cpu"}}),
        ('embed.device="cpu"', {"embed": {"device": "cpu"}}),
        ("catalogue=/data/my catalogue", {"catalogue": "/data/my catalogue"}),
        ("catalogue=a=b", {"catalogue": "a=b"}),
        ("catalogue=C:\\data", {"catalogue": "C:\\data"}),
        ("catalogue=", {"catalogue": ""}),
        ('catalogue="2012"', {"catalogue": "2012"}),
        ("model=torchvision:IMAGENET1K_V2", {"model": "torchvision:IMAGENET1K_V2"}),
        ('ingest.null_values=["NA", "n/a"]', {"ingest": {"null_values": ["NA", "n/a"]}}),
        ("ingest.null_values=[]", {"ingest": {"null_values": []}}),
        (
            'fetch.allow_hosts=["images.example", "[::1]:80"]',
            {"fetch": {"allow_hosts": ["images.example", "[::1]:80"]}},
        ),
        ("sample.seed=-1", {"sample": {"seed": -1}}),
        ("sample.products=60", {"sample": {"products": 60}}),
    ],
)
def test_set_takes_strings_numbers_and_lists(override: str, changes: dict[str, Any]) -> None:
    assert load(overrides=[override]).model_dump(by_alias=True) == with_changes(**changes)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("embed.bach_size=1", "no setting 'embed.bach_size': did you mean 'embed.batch_size'?"),
        ("batch_size=1", "there is no setting 'batch_size': did you mean 'embed.batch_size'?"),
        ("Embed.device=cpu", "there is no setting 'Embed.device': did you mean 'embed.device'?"),
        ("warehous=x", "there is no setting 'warehous': did you mean 'warehouse'?"),
        ("zzz=1", "there is no setting 'zzz': conf/default.toml lists them"),
        ("zzz.yyy.xxx=1", "there is no setting 'zzz.yyy.xxx': conf/default.toml lists them"),
        ("embed.device.x=1", "'embed.device' is no section"),
        ("catalogue.x.y=1", "'catalogue' is no section"),
        ("ingest.null_values={a=1}", "'ingest.null_values' is no section"),
        ("embed.batch_size", "give key=value, as in --set embed.batch_size=64"),
        ("", "give key=value, as in --set embed.batch_size=64"),
        ("=64", "give key=value, as in --set embed.batch_size=64"),
        ("embed.=64", "give key=value, as in --set embed.batch_size=64"),
        ("embed..batch_size=64", "give key=value, as in --set embed.batch_size=64"),
    ],
)
def test_a_setting_that_does_not_exist(override: str, message: str) -> None:
    found = message_of(override)
    assert found.startswith(f"--set {override}: ")
    assert found.endswith(message)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "embed.batch_size=many",
            "'embed.batch_size': input should be a valid integer, not 'many'",
        ),
        ('embed.batch_size="64"', "'embed.batch_size': input should be a valid integer, not '64'"),
        ("embed.batch_size=64.0", "'embed.batch_size': input should be a valid integer, not 64.0"),
        ("embed.batch_size=true", "'embed.batch_size': input should be a valid integer, not True"),
        ("embed.batch_size=", "'embed.batch_size': input should be a valid integer, not ''"),
        ("embed.batch_size=0", "'embed.batch_size': input should be greater than 0, not 0"),
        ("neighbours.k=-5", "'neighbours.k': input should be greater than 0, not -5"),
        ("ingest.max_bytes=0", "'ingest.max_bytes': input should be greater than 0, not 0"),
        (
            "sample.products=59",
            "'sample.products': input should be greater than or equal to 60, not 59",
        ),
        ("embed.device=tpu", "'embed.device': input should be 'auto', 'cpu' or 'cuda', not 'tpu'"),
        ("ingest.null_values=NA", "'ingest.null_values': input should be a valid list, not 'NA'"),
        ("ingest.null_values=[1]", "'ingest.null_values.0': input should be a valid string, not 1"),
        *(
            (
                f'fetch.allow_hosts=["a.example", "{host}"]',
                "'fetch.allow_hosts.1': string should match pattern "
                r"'(?i)^([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:[0-9]+)?$', "
                f"not '{host}'",
            )
            for host in ("http://a.example", "a.example/", "*.example", "", "me@a.example", "::1")
        ),
        ("warehouse=1", "'warehouse': input should be a valid string, not 1"),
        ("warehouse=", "'warehouse': string should have at least 1 character, not ''"),
    ],
)
def test_a_value_of_another_type_or_out_of_range(override: str, message: str) -> None:
    assert message_of(override) == f"setting {message}"


def test_all_wrong_values_are_named_at_once() -> None:
    assert message_of("neighbours.k=0", "embed.batch_size=0", "neighbours.k=-1") == (
        "setting 'embed.batch_size': input should be greater than 0, not 0; "
        "setting 'neighbours.k': input should be greater than 0, not -1"
    )


@pytest.mark.parametrize("value", ["3", "'x'", "[]", "[{batch_size = 3}]"])
def test_a_section_that_is_given_a_value(tmp_path: Path, value: str) -> None:
    path = written(tmp_path, "c.toml", f"embed = {value}\n")
    for found in (message_of(files=(path,)), message_of(f"embed={value}")):
        assert found.startswith("setting 'embed': input should be a valid dictionary")
        assert found.endswith(f", not {tomllib.loads(f'x = {value}')['x']!r}")
    found = message_of("embed.batch_size=4", files=(path,))
    assert found == "--set embed.batch_size=4: 'embed' is no section"
    found = message_of("neighbours=1", "neighbours.lists.x.same=[]")
    assert found == "--set neighbours.lists.x.same=[]: 'neighbours' is no section"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[embed]\nbach_size = 1\n", "there is no setting 'embed.bach_size': did you mean "),
        ("[embeds]\ndevice = 'cpu'\n", "there is no setting 'embeds.device': did you mean "),
        ("[catalogue]\nx = 1\n", "'catalogue' is no section"),
        ("embed.batch_size = \n", "is not TOML: Invalid value (at line 1, column 20)"),
        ("warehouse = bare\n", "is not TOML: Invalid value (at line 1, column 13)"),
        ("model = 'a'\nmodel = 'b'\n", "is not TOML: Cannot overwrite a value (at line 2, "),
        ("embed:\n  batch_size: 3\n", "is not TOML: Expected '=' after a key"),
        (b"model = 'caf\xe9'\n", "is not TOML: 'utf-8' codec can't decode byte 0xe9"),
    ],
)
def test_a_file_that_is_wrong_is_named(tmp_path: Path, text: str | bytes, message: str) -> None:
    good = written(tmp_path, "good.toml", "model = 'x'\n")
    wrong = written(tmp_path, "wrong.toml", text)
    assert message_of(files=(good, wrong)).startswith(f"{wrong}: {message}")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    assert message_of(files=(path,)) == f"{path}: cannot be read (No such file or directory)"
    assert message_of(files=(tmp_path,)) == f"{tmp_path}: cannot be read (Is a directory)"


def test_relative_paths_are_below_the_home_of_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setenv("FASHIONREC_HOME", str(tmp_path / "x" / ".."))
    assert project_home() == tmp_path
    assert resolve("warehouse") == tmp_path / "warehouse"
    assert resolve("/data/warehouse") == Path("/data/warehouse")
    assert resolve("~/warehouse") == Path("/home/someone/warehouse")
    monkeypatch.delenv("FASHIONREC_HOME")
    monkeypatch.chdir(tmp_path)
    assert resolve("warehouse") == tmp_path / "warehouse"


def test_a_further_list_begins_without_rules() -> None:
    config = load(overrides=["neighbours.lists.mine.match=['usage']"])
    lists = config.neighbours.lists
    assert list(lists) == ["similar", "similar_styles", "complete_the_look", "mine"]
    assert lists["mine"] == lists["similar"].model_copy(update={"match": ["usage"]})


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("mine.mach=[]", "there is no setting 'neighbours.lists.mine.mach'"),
        ("mine.match=['colour']", "'neighbours.lists.mine.match.0': input should be 'gender', "),
        ("similar.universal=['usage=x']", "usage must be in 'match' to have universal values"),
        ("similar.exclude=['Shoes']", "string should match pattern"),
        ("Mine.match=[]", "string should match pattern"),
        ("mine.max_similarity=2", "input should be less than or equal to 1, not 2"),
    ],
)
def test_a_wrong_rule(override: str, message: str) -> None:
    assert message in message_of(f"neighbours.lists.{override}")


@pytest.mark.parametrize("name", ["sample.toml", "scratch.toml"])
def test_the_other_files_of_conf_are_differences_that_fit(name: str) -> None:
    assert load([DEFAULTS[0].with_name(name)]) != load()
