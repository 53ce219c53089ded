"""Lines of styles.csv: each fault a real catalogue has, then any catalogue at all."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fashionrec.errors import FashionrecError
from fashionrec.ingest.csv_lines import Header, LineRange, line_ranges, read_header
from fashionrec.ingest.styles import (
    BLANK,
    COLUMNS,
    NAME,
    Cell,
    Record,
    as_product_id,
    extra_columns,
    parse_line,
    read_records,
)

FIRST = (
    "id,gender,masterCategory,subCategory,articleType,baseColour,season,year,usage,"
    "productDisplayName"
)
CELLS = {
    "id": "15970",
    "gender": "Men",
    "masterCategory": "Apparel",
    "subCategory": "Topwear",
    "articleType": "Shirts",
    "baseColour": "Navy Blue",
    "season": "Fall",
    "year": "2011",
    "usage": "Casual",
    "productDisplayName": "Turtle Check Men Navy Blue Shirt",
}
VALUES: dict[str, str | int | None] = {
    "product_id": 15970,
    "gender": "Men",
    "master_category": "Apparel",
    "sub_category": "Topwear",
    "article_type": "Shirts",
    "base_colour": "Navy Blue",
    "season": "Fall",
    "year": 2011,
    "usage": "Casual",
    "product_display_name": "Turtle Check Men Navy Blue Shirt",
}
ORDERS = {
    "last": tuple(COLUMNS),
    "middle": ("id", "gender", NAME, *(c for c in COLUMNS if c not in ("id", "gender", NAME))),
    "first": (NAME, *(c for c in COLUMNS if c != NAME)),
}
NOT_AN_ID = "the id is no whole number below 2^63"


def text_of(columns: tuple[str, ...] = tuple(COLUMNS), **cells: str) -> str:
    """A line as a catalogue's author joins it, with no quoting but what the cells bring."""
    return ",".join((CELLS | cells)[column] for column in columns)


def parsed(null_values: tuple[str, ...] = ("NA",), **cells: str) -> Record:
    header = Header(1, tuple(COLUMNS))
    return parse_line(2, text_of(header.columns, **cells).encode(), header, null_values)


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "styles.csv"
    path.write_bytes(content)
    return path


def records_of(path: Path, size: int = 1 << 24) -> list[Record]:
    header = read_header(path, COLUMNS)
    ranges = line_ranges(path, size)
    return [record for lines in ranges for record in read_records(path, header, lines, ["NA"])]


def found(records: list[Record]) -> list[tuple[int, object]]:
    """Each line's number and its reason or its name."""
    return [(r.line, r.reason or r.values["product_display_name"]) for r in records]


def test_a_good_line_is_a_record_of_our_columns() -> None:
    assert parsed() == Record(2, text_of(), None, VALUES, ())


@pytest.mark.parametrize("ending", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("written_name", "name"),
    [
        ("Plain Shirt", "Plain Shirt"),
        ("", None),
        ("NA", "NA"),
        ("  padded  ", "  padded  "),
        # Unquoted commas.
        ("Shirt, Blue", "Shirt, Blue"),
        ("Shirt,,Blue,", "Shirt,,Blue,"),
        (",", ","),
        # Proper quotes.
        ('"Shirt, Blue"', "Shirt, Blue"),
        ('"Plain Shirt"', "Plain Shirt"),
        ('"12"" Box, ""Big"""', '12" Box, "Big"'),
        ('""', None),
        # Stray quotes.
        ('12" Box', '12" Box'),
        ('12" Box, Big', '12" Box, Big'),
        ('"Shirt', '"Shirt'),
        ('"Shirt, Blue', '"Shirt, Blue'),
        ('Shirt, "Blue', 'Shirt, "Blue'),
        ('Shirt"', 'Shirt"'),
        ('"', '"'),
        ('"Blue" Shirt', '"Blue" Shirt'),
        ('"Blue", "Red"', '"Blue", "Red"'),
        ("Men's 'Blue", "Men's 'Blue"),
        # What str.splitlines takes for a line's end.
        ("one\u2028two\u2029", "one\u2028two\u2029"),
        ("one\x85two", "one\x85two"),
        ("one\x0btwo\x0cthree", "one\x0btwo\x0cthree"),
        ("one\x1ctwo\x1d\x1e", "one\x1ctwo\x1d\x1e"),
        ("one\x00two\ttab", "one\x00two\ttab"),
        ("कुर्ता 👗 chemise déjà", "कुर्ता 👗 chemise déjà"),
        ("\ufeffShirt", "\ufeffShirt"),
        pytest.param("long," * 40_000, "long," * 40_000, id="200,000 characters"),
    ],
)
def test_a_name_is_read_wherever_its_column_stands(
    tmp_path: Path, written_name: str, name: str | None, order: str, ending: str
) -> None:
    columns = ORDERS[order]
    lines = [
        ",".join(columns),
        text_of(columns, productDisplayName=written_name),
        text_of(columns, productDisplayName="The Next"),
    ]
    content = "".join(line + ending for line in lines)
    assert records_of(written(tmp_path, content.encode())) == [
        Record(2, lines[1], None, VALUES | {"product_display_name": name}),
        Record(3, lines[2], None, VALUES | {"product_display_name": "The Next"}),
    ]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", ["Shirt", "Shirt, long", 'Shirt "x", long', '12" Shirt, "long'])
def test_a_quoted_comma_stays_in_its_cell_whatever_the_name(name: str, order: str) -> None:
    columns = ORDERS[order]
    text = text_of(columns, baseColour='"Blue, navy"', productDisplayName=name)
    expected = VALUES | {"base_colour": "Blue, navy", "product_display_name": name}
    assert parse_line(2, text.encode(), Header(1, columns), []) == Record(2, text, None, expected)


def test_one_opened_quote_swallows_no_line_up_to_the_one_that_closes_it(tmp_path: Path) -> None:
    lines = [text_of(productDisplayName=name) for name in ('"Opened', "Between", 'Closed"')]
    content = "\n".join([FIRST, *lines])
    names = [(2, '"Opened'), (3, "Between"), (4, 'Closed"')]
    assert found(records_of(written(tmp_path, content.encode()))) == names


@pytest.mark.parametrize(
    ("line", "raw", "reason"),
    [
        (b"15970", "15970", "1 fields, the header has 10"),
        (b"15970,Men\r", "15970,Men", "2 fields, the header has 10"),
        (b",,,,,,,,", ",,,,,,,,", "9 fields, the header has 10"),
        # A comma in a quoted name stands for no missing field.
        (b'1,,,,,,,,"Shirt, blue"', '1,,,,,,,,"Shirt, blue"', "9 fields, the header has 10"),
        (b"1,\xe9\r", "1,\\xe9", "not UTF-8"),
        (b"1,,,,,,,,,Caf\xe9", "1,,,,,,,,,Caf\\xe9", "not UTF-8"),
        (b"\xff\xfe1\x00,\x00", "\\xff\\xfe1\x00,\x00", "not UTF-8"),
        (b"\xed\xa0\x80", "\\xed\\xa0\\x80", "not UTF-8"),
        (b",,,,,,,,,", ",,,,,,,,,", NOT_AN_ID),
        (b"", "", BLANK),
        (b"\r", "", BLANK),
        (b" \t\x0b", " \t\x0b", BLANK),
        ("\u2028".encode(), "\u2028", BLANK),
    ],
)
def test_an_unusable_line_keeps_its_text_and_gets_a_reason(
    line: bytes, raw: str, reason: str
) -> None:
    record = parse_line(7, line, Header(1, tuple(COLUMNS)), ["NA"])
    assert record == Record(7, raw, reason)


@pytest.mark.parametrize(
    ("text", "product_id"),
    [
        ("0", 0),
        ("007", 7),
        (" 12 ", 12),
        ('"12"', 12),
        ("9223372036854775807", 2**63 - 1),
        ("0" * 39 + "5", 5),
    ],
)
def test_a_whole_number_is_an_id(text: str, product_id: int) -> None:
    assert parsed(id=text).values == VALUES | {"product_id": product_id}


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "NA", "abc", "12a", "-1", "+1", "1.0", "1e3", "1_000", "0x1f", "1 2"),
        *("١٢", "²", "１", "9223372036854775808", "9" * 40, "0" * 41, "9" * 5000),
    ],
    ids=lambda text: text[:20] or "empty",
)
def test_anything_else_is_no_id(text: str) -> None:
    assert parsed(id=text) == Record(2, text_of(id=text), NOT_AN_ID)
    assert as_product_id(text) is None


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("2012", 2012),
        ("2012.0", 2012),
        (" 2012 ", 2012),
        ('"2012"', 2012),
        ("NA", None),
        ("", None),
        ("  ", None),
        (" NA ", None),
    ],
)
def test_a_year_or_its_absence_is_read(text: str, year: int | None) -> None:
    record = parsed(year=text)
    assert (record.values, record.cells) == (VALUES | {"year": year}, ())


@pytest.mark.parametrize(
    "text",
    ["201l", "12", "20122", "2012.5", "2012.00", "2012.", "-2012", "20 12", "n/a", " x ", "2012;"],
)
def test_an_unreadable_year_becomes_null_and_is_kept_as_a_cell(text: str) -> None:
    record = parsed(year=text)
    assert record.reason is None
    assert record.values == VALUES | {"year": None}
    assert record.cells == (Cell("year", text, "no four-digit year"),)


@pytest.mark.parametrize(
    ("null_values", "text", "value"),
    [
        (("NA",), "NA", None),
        (("NA",), " NA ", None),
        (("NA",), "", None),
        (("NA",), " ", None),
        (("NA",), "na", "na"),
        (("NA",), "NAVY", "NAVY"),
        (("NA",), " Blue ", " Blue "),
        ((), "NA", "NA"),
        ((), "", None),
        (("-", "n/a"), "n/a", None),
        (("-", "n/a"), "NA", "NA"),
    ],
)
def test_a_cell_that_says_nothing_is_null(
    null_values: tuple[str, ...], text: str, value: str | None
) -> None:
    for theirs in ("gender", "baseColour", "usage"):
        record = parsed(null_values, **{theirs: text})
        assert record.values == VALUES | {COLUMNS[theirs]: value}


def test_ids_and_names_are_taken_as_they_stand() -> None:
    record = parsed(("15970", "Turtle"), productDisplayName="Turtle")
    assert record.values == VALUES | {"product_display_name": "Turtle"}


def test_extra_and_reordered_columns(tmp_path: Path) -> None:
    columns = ("rating", *reversed(COLUMNS), "", "rating")
    cells = CELLS | {"rating": "4", "": "", "productDisplayName": "Shirt, Blue"}
    content = f"{','.join(columns)}\n{','.join(cells[column] for column in columns)}\n"
    path = written(tmp_path, content.encode())
    assert extra_columns(read_header(path, COLUMNS)) == ["rating", "", "rating"]
    (record,) = records_of(path)
    assert record.values == VALUES | {"product_display_name": "Shirt, Blue"}


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (FIRST, 1),
        (FIRST + "\n", 1),
        (FIRST + "\r\n1", 1),
        ("\ufeff" + FIRST, 1),
        ("\n \r\n" + FIRST + "\n", 3),
        ("\ufeff\n" + FIRST, 2),
        (FIRST.replace(",", " , "), 1),
        ('"' + FIRST.replace(",", '","') + '"', 1),
    ],
)
def test_the_header_is_the_first_line_that_is_not_blank(
    tmp_path: Path, content: str, line: int
) -> None:
    header = read_header(written(tmp_path, content.encode()), COLUMNS)
    assert header == Header(line, tuple(COLUMNS))
    assert extra_columns(header) == []


ALL = ", ".join(COLUMNS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", f"is empty; it needs a header with {ALL}"),
        (b"\xef\xbb\xbf", f"is empty; it needs a header with {ALL}"),
        (b"\n\r\n  \n", f"is empty; it needs a header with {ALL}"),
        (
            b"id,season,gender,usage",
            "the header lacks [masterCategory, subCategory, articleType, baseColour, year, "
            "productDisplayName]; it has [id, season, gender, usage]",
        ),
        (
            FIRST.replace("year", "Year").encode(),
            f"the header lacks [year]; it has [{ALL.replace('year', 'Year')}]",
        ),
        (FIRST.encode() + b",year,id,x,x", "the header has [id, year] more than once"),
        (FIRST.encode("utf-16"), "the header is not UTF-8: save it as UTF-8"),
    ],
)
def test_a_header_that_cannot_do_is_an_error(tmp_path: Path, content: bytes, message: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(FashionrecError) as raised:
        read_header(path, COLUMNS)
    assert str(raised.value) == f"{path}: {message}"


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    missing = tmp_path / "none.csv"
    with pytest.raises(FashionrecError) as raised:
        read_header(missing, COLUMNS)
    assert str(raised.value) == f"{missing}: cannot be read (No such file or directory)"
    with pytest.raises(FashionrecError) as raised:
        read_header(tmp_path, COLUMNS)
    assert str(raised.value) == f"{tmp_path}: cannot be read (Is a directory)"


FAULTY = [
    (b"", BLANK),
    (FIRST.encode(), None),
    (text_of(productDisplayName="Shirt, Blue").encode(), "Shirt, Blue"),
    (b"", BLANK),
    (text_of(productDisplayName='"Stray').encode(), '"Stray'),
    (b"1,Men", "2 fields, the header has 10"),
    (text_of(productDisplayName="a\u2028b\x85c\x0bd").encode(), "a\u2028b\x85c\x0bd"),
    (b"1,Caf\xe9", "not UTF-8"),
    (b"  ", BLANK),
    (text_of(id="x").encode(), NOT_AN_ID),
    (text_of(productDisplayName='"Quoted, ""Name"""').encode(), 'Quoted, "Name"'),
]


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"], ids=["plain", "bom"])
@pytest.mark.parametrize("ends", [0, 1, 2], ids=["unended", "ended", "blank last"])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"], ids=["lf", "crlf"])
def test_records_and_line_numbers_do_not_depend_on_the_cut(
    tmp_path: Path, bom: bytes, ends: int, ending: bytes
) -> None:
    content = bom + ending.join(line for line, _ in FAULTY) + ending * ends
    expected = [(i, what) for i, (_, what) in enumerate(FAULTY, 1) if what is not None]
    expected += [(len(FAULTY) + 1, BLANK)] if ends == 2 else []
    path = written(tmp_path, content)
    whole = records_of(path)
    assert found(whole) == expected
    for size in (*range(1, 200), 500, len(content) - 1, len(content), len(content) + 1):
        assert records_of(path, size) == whole, f"cut at {size} bytes"


@pytest.mark.parametrize(
    ("content", "size", "ranges"),
    [
        (b"", 1, []),
        (b"\n", 1, [(0, 1, 1)]),
        (b"ab\ncd\n\nef", 1, [(0, 3, 1), (3, 3, 2), (6, 3, 3)]),
        (b"ab\ncd\n\nef", 3, [(0, 6, 1), (6, 3, 3)]),
        (b"ab\ncd\n\nef", 4, [(0, 6, 1), (6, 3, 3)]),
        (b"ab\ncd\n\nef\n", 100, [(0, 10, 1)]),
        (b"a\xe2\x80\xa8b\x0bc\rd\ne", 2, [(0, 10, 1), (10, 1, 2)]),
    ],
)
def test_ranges_are_whole_lines(
    tmp_path: Path, content: bytes, size: int, ranges: list[tuple[int, int, int]]
) -> None:
    path = written(tmp_path, content)
    assert list(line_ranges(path, size)) == [LineRange(*numbers) for numbers in ranges]


# From here on: any catalogue.


@dataclass(frozen=True)
class Line:
    """A line as written, and what is expected of it: values and unreadable cells, or a reason."""

    text: bytes
    values: dict[str, str | int | None] | None
    reason: str | None
    cells: tuple[Cell, ...] = ()


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"))
CELL_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters='\r\n,"'))
NASTY_NAMES = st.text(st.sampled_from('",a \u2028\x85\x0b\ufeffé'), max_size=12)
YEARS = st.sampled_from([("2012", 2012), ("1999.0", 1999), ("NA", None), ("", None), ("?", None)])


@st.composite
def good_lines(draw: st.DrawFn, columns: tuple[str, ...]) -> Line:
    name = draw(ANY_TEXT | NASTY_NAMES)
    # A name that begins with a quote means something only where it is quoted.
    quoted = name.startswith('"') or draw(st.booleans())
    product_id, (year, year_value) = draw(st.integers(0, 2**63 - 1)), draw(YEARS)
    cells = {column: draw(CELL_TEXT) for column in columns}
    cells |= {"id": str(product_id), "year": year}
    cells[NAME] = '"' + name.replace('"', '""') + '"' if quoted else name
    values: dict[str, str | int | None] = {
        ours: None if cells[theirs].strip() in ("", "NA") else cells[theirs]
        for theirs, ours in COLUMNS.items()
    }
    values |= {"product_id": product_id, "year": year_value, "product_display_name": name or None}
    unreadable = (Cell("year", "?", "no four-digit year"),) if year == "?" else ()
    return Line(",".join(cells[column] for column in columns).encode(), values, None, unreadable)


@st.composite
def faulty_lines(draw: st.DrawFn, columns: tuple[str, ...]) -> Line:
    good = draw(good_lines(columns))
    digits = draw(st.sampled_from(["x", "-5", "1.0", "9223372036854775808"]))
    bad_id = ",".join(digits if column == "id" else "" for column in columns)
    few = draw(st.integers(1, len(columns) - 1))
    return draw(
        st.sampled_from(
            [
                Line(b"", None, BLANK),
                Line(b" \t ", None, BLANK),
                Line(good.text + b"\xff", None, "not UTF-8"),
                Line(bad_id.encode(), None, NOT_AN_ID),
                Line(b"7" + b"," * (few - 1), None, f"{few} fields, the header has {len(columns)}"),
            ]
        )
    )


@st.composite
def catalogues(draw: st.DrawFn) -> tuple[bytes, list[Line]]:
    extra = draw(st.sampled_from([(), ("rating",), ("", "link")]))
    columns = tuple(draw(st.permutations([*COLUMNS, *extra])))
    lines = draw(st.lists(good_lines(columns) | faulty_lines(columns), max_size=8))
    ending = draw(st.sampled_from([b"\n", b"\r\n"]))
    bom = draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    content = bom + ending.join([",".join(columns).encode(), *(line.text for line in lines)])
    # Without it, a blank last line would not be there.
    return content + ending, lines


@settings(max_examples=100, deadline=None)
@given(catalogues(), st.integers(1, 400))
def test_every_good_row_survives_and_every_line_is_one_record(
    catalogue: tuple[bytes, list[Line]], size: int
) -> None:
    content, lines = catalogue
    with tempfile.TemporaryDirectory() as folder:
        records = records_of(written(Path(folder), content), size)
    assert [record.line for record in records] == list(range(2, len(lines) + 2))
    for record, line in zip(records, lines, strict=True):
        assert record.raw == line.text.decode("utf-8", "backslashreplace")
        assert (record.values, record.reason) == (line.values or {}, line.reason)
        assert record.cells == line.cells


@settings(max_examples=100, deadline=None)
@given(
    st.binary(max_size=300)
    | st.lists(st.sampled_from([b'"', b",", b"\n", b"\r", b"1", b"\xe2"])).map(b"".join),
    st.integers(1, 100),
)
def test_any_bytes_below_a_header_are_a_record_a_line(body: bytes, size: int) -> None:
    lines = body.split(b"\n")
    lines = lines[:-1] if lines[-1] == b"" else lines
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), FIRST.encode() + b"\n" + body)
        records = records_of(path, size)
        assert records == records_of(path)
    assert [record.line for record in records] == list(range(2, len(lines) + 2))
    for record, line in zip(records, lines, strict=True):
        assert record.raw == line.removesuffix(b"\r").decode("utf-8", "backslashreplace")
        assert (record.reason is None) == (list(record.values) == [*COLUMNS.values()])
