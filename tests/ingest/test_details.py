"""styles/ID.json: what is read of it, what is kept as unreadable, and any bytes at all."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fashionrec.ingest.details import UNREADABLE, examine_details
from fashionrec.ingest.pictures import UnusableError
from fashionrec.tables import DETAILS

WHOLE = """{
  "notification": {},
  "meta": {"code": 200, "requestId": "cb1b"},
  "data": {
    "id": 15970,
    "price": 895,
    "discountedPrice": 626.5,
    "productDisplayName": "Turtle Check Men Navy Blue Shirt",
    "brandName": "Turtle",
    "ageGroup": "Adults-Men",
    "fashionType": "Fashion",
    "productDescriptors": {
      "description": {"descriptorType": "description", "value": "<p>Navy \\u0026 \\u0915</p>"}
    }
  }
}"""
FACTS = {
    "price": "895",
    "discounted_price": "626.5",
    "brand": "Turtle",
    "age_group": "Adults-Men",
    "fashion_type": "Fashion",
    "description": "<p>Navy & क</p>",
}
NOT_JSON = "not JSON in UTF-8"
NO_DATA = 'no object with "data"'


def facts_of(**data: Any) -> dict[str, str]:
    return examine_details(json.dumps({"data": data}).encode())


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"], ids=["plain", "bom"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", ""])
def test_the_values_are_read_from_where_they_stand(bom: bytes, ending: str) -> None:
    assert examine_details(bom + WHOLE.replace("\n", ending).encode()) == FACTS


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", NOT_JSON),
        (b"   ", NOT_JSON),
        (b"<html></html>", NOT_JSON),
        (WHOLE[:-1].encode(), NOT_JSON),
        (WHOLE[:200].encode(), NOT_JSON),
        (WHOLE.encode() + b"}", NOT_JSON),
        (WHOLE.replace('"', "'").encode(), NOT_JSON),
        (WHOLE.encode("utf-16"), NOT_JSON),
        (WHOLE.replace("Turtle", "Caf\xe9").encode("latin-1"), NOT_JSON),
        (b'{"data": {"brandName": "a\nb"}}', NOT_JSON),
        pytest.param(b"[" * 200_000, NOT_JSON, id="deep"),
        pytest.param(b'{"data":' * 200_000, NOT_JSON, id="deep objects"),
        pytest.param(b'{"data": {"price": ' + b"9" * 5_000 + b"}}", NOT_JSON, id="huge"),
        (b"null", NO_DATA),
        (b"[]", NO_DATA),
        (b'"data"', NO_DATA),
        (b'[{"data": {}}]', NO_DATA),
        (b"{}", NO_DATA),
        (b'{"Data": {}}', NO_DATA),
        (b'{"data": null}', NO_DATA),
        (b'{"data": []}', NO_DATA),
        (b'{"data": "x"}', NO_DATA),
    ],
)
def test_a_file_that_cannot_be_read_is_unusable(content: bytes, reason: str) -> None:
    with pytest.raises(UnusableError) as raised:
        examine_details(content)
    assert str(raised.value) == reason


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"price": None, "brandName": None},
        {"brandName": "", "price": ""},
        {"productDescriptors": None},
        {"productDescriptors": []},
        {"productDescriptors": "<p>"},
        {"productDescriptors": {}},
        {"productDescriptors": {"description": None}},
        {"productDescriptors": {"description": "<p>"}},
        {"productDescriptors": {"description": {"value": None}}},
        {"productDescriptors": {"description": {"value": ""}}},
        {"brand": "x", "discounted_price": 3},
    ],
)
def test_a_value_that_is_not_there_is_no_fact(data: dict[str, Any]) -> None:
    assert facts_of(**data) == {}


@pytest.mark.parametrize(
    ("price", "text"),
    [
        (0, "0"),
        (895, "895"),
        (626.5, "626.5"),
        (1e300, "1e+300"),
        (-1, "-1"),
        ("895", "895"),
        ("626.50", "626.50"),
        ("1e3", "1e3"),
    ],
)
def test_a_number_is_read_as_number_or_text(price: object, text: str) -> None:
    assert facts_of(price=price) == {"price": text}
    assert facts_of(discountedPrice=price) == {"discounted_price": text}


@pytest.mark.parametrize(
    ("price", "text"),
    [
        ("Rs. 895", "Rs. 895"),
        ("1,895", "1,895"),
        (" ", " "),
        ("0x1f", "0x1f"),
        (True, "True"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        # Python takes these for numbers, SQL does not.
        ("1_000", "1_000"),
        ("１２", "１２"),
        ("1\u2003", "1\u2003"),
        ([895], "[895]"),
        ({"a": 1}, "{'a': 1}"),
        ([], "[]"),
        pytest.param(10**400, str(10**400), id="1e400"),
    ],
)
def test_a_price_that_is_no_number_is_kept_as_unreadable(price: object, text: str) -> None:
    assert facts_of(price=price, brandName="Turtle") == {
        "unreadable price": text,
        "brand": "Turtle",
    }


@pytest.mark.parametrize(
    ("value", "text"), [(7, "7"), (0, "0"), (False, "False"), (["a"], "['a']"), ({}, "{}")]
)
def test_a_text_that_is_of_another_type_is_kept_as_unreadable(value: object, text: str) -> None:
    found = facts_of(
        brandName=value,
        ageGroup=value,
        fashionType=value,
        productDescriptors={"description": {"value": value}},
    )
    assert found == {
        "unreadable brand": text,
        "unreadable age_group": text,
        "unreadable fashion_type": text,
        "unreadable description": text,
    }


def test_texts_are_kept_bit_for_bit() -> None:
    brand = ' "Turtle",\n\u2028\x0b\0 \U0001f457 '
    assert facts_of(brandName=brand) == {"brand": brand}


def test_half_a_surrogate_pair_cannot_reach_arrow() -> None:
    content = (
        rb'{"data": {"brandName": "Caf\ud83d", "price": "\ude00", "ageGroup": "\ud83d\ude00"}}'
    )
    found = examine_details(content)
    assert found == {"brand": "Caf?", "unreadable price": "?", "age_group": "\U0001f600"}


ANY_TEXT = st.text(st.characters())  # halves of surrogate pairs, too: JSON can spell them
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=5,
)
KEYS = ["price", "discountedPrice", "brandName", "ageGroup", "fashionType", "productDescriptors"]
COLUMNS = {column.name: column.type for column in DETAILS}


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), ANY_JSON))
def test_any_value_is_read_or_unreadable_or_absent(data: dict[str, Any]) -> None:
    found = facts_of(**data)
    assert all(text.encode() for text in found.values())
    assert {name.removeprefix(UNREADABLE) for name in found} <= set(COLUMNS)
    for key, column in (("brandName", "brand"), ("price", "price")):
        value, kinds = data.get(key), (column in found, UNREADABLE + column in found)
        assert sum(kinds) == (value is not None and value != "")
        if column == "brand":
            assert kinds[0] == (isinstance(value, str) and value != "")


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200) | st.text().map(str.encode))
def test_any_bytes_are_examined_without_another_error(content: bytes) -> None:
    try:
        found = set(examine_details(content))
    except UnusableError as error:
        found = {str(error)}
    names = {*COLUMNS, *(UNREADABLE + column for column in COLUMNS)}
    assert found in ({NOT_JSON}, {NO_DATA}) or found <= names
