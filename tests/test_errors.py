"""What is put on the screen: one line, whatever the error says."""

import pytest

from fashionrec.errors import FashionrecError, one_line, printable, reason


def test_a_full_disk_is_told_whatever_failed_of_it() -> None:
    def write_record() -> None:
        try:
            raise OSError(28, "No space left on device")
        except OSError:
            raise RuntimeError("the record could not be written") from None

    with pytest.raises(RuntimeError) as raised:
        write_record()
    assert one_line(raised.value) == "No space left on device: make room and run again"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (PermissionError(13, "Permission denied"), "Permission denied"),
        (FileNotFoundError("shop/1.jpg"), "FileNotFoundError: shop/1.jpg"),
        (OSError("Forbidden: shop/1.jpg\nrequest 7"), "OSError: Forbidden: shop/1.jpg"),
        (TimeoutError(), "TimeoutError"),
        (LookupError("no answer"), "LookupError: no answer"),
    ],
)
def test_why_a_file_cannot_be_read_is_never_none(error: Exception, told: str) -> None:
    assert reason(error) == told


def test_a_workers_own_error_is_found_in_its_trace() -> None:
    trace = "Traceback:\n  File x\nfashionrec.errors.FashionrecError: 7.jpg: changed\nmore"
    assert one_line(ValueError(trace)) == "7.jpg: changed"
    assert one_line(ValueError("first\nsecond")) == "ValueError: first"
    assert one_line(FashionrecError("as it is")) == "as it is"


def test_javas_own_words_are_told() -> None:
    told = "An error occurred while calling o1.x.\n: java.io.IOException: no such host\n\tat a.b.C"
    assert one_line(ValueError(told)) == "java.io.IOException: no such host"


def test_an_error_whose_words_have_gone_with_java_is_one_line_too() -> None:
    class GoneError(Exception):
        def __str__(self) -> str:
            raise ConnectionRefusedError("no Java")

    said = "GoneError: Spark's Java process has ended, and with it what it had to say"
    assert one_line(GoneError()) == said


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a  b — ü", "a  b — ü"),
        ("one\n\ttwo\r\nthree", "one two three"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("\u202egpj", "\\u202egpj"),
        ("caf\udce9", "caf\\udce9"),
    ],
)
def test_no_text_steers_a_terminal(text: str, line: str) -> None:
    assert printable(text) == line
