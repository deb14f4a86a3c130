"""Parts numbered as IMAP numbers them, and bodies chosen among them."""

from __future__ import annotations

from domain.reading import Defect, MessagePart, read_message
from tests.broken_mail.pieces import a_part, multipart

RFC_9051 = multipart(
    a_part("first"),
    a_part("AAAA", "Content-Type: application/octet-stream"),
    a_part(
        "Subject: inner\r\nContent-Type: multipart/mixed; boundary=b3\r\n\r\n"
        + multipart(a_part("inner text"), a_part("AAAA", "Content-Type: application/octet-stream"), boundary="b3"),
        "Content-Type: message/rfc822",
    ),
    a_part(
        multipart(
            a_part("GIF", "Content-Type: image/gif", "Content-ID: <pic@x>"),
            a_part(
                "Subject: deep\r\nContent-Type: multipart/alternative; boundary=b42\r\n\r\n"
                + multipart(a_part("deep text"), a_part("rich", "Content-Type: text/richtext"), boundary="b42"),
                "Content-Type: message/rfc822",
            ),
            boundary="b4",
        ),
        "Content-Type: multipart/mixed; boundary=b4",
    ),
)


def message(content: str, *fields: str) -> bytes:
    return ("".join(f"{field}\r\n" for field in fields) + "\r\n" + content).encode()


def part_of(octets: bytes, part_id: str) -> MessagePart:
    return next(part for part in read_message(octets).parts if part.part_id == part_id)


def test_given_the_example_of_rfc_9051_when_read_then_parts_have_its_numbers() -> None:
    octets = message(RFC_9051, "Content-Type: multipart/mixed; boundary=outer")

    read = read_message(octets)

    assert [(part.part_id, part.content_type) for part in read.parts] == [
        ("1", "text/plain"),
        ("2", "application/octet-stream"),
        ("3", "message/rfc822"),
        ("3.1", "text/plain"),
        ("3.2", "application/octet-stream"),
        ("4.1", "image/gif"),
        ("4.2", "message/rfc822"),
        ("4.2.1", "text/plain"),
        ("4.2.2", "text/richtext"),
    ]
    assert read.defects == ()
    assert [part.part_id for part in read.parts if part.is_attachment] == ["2", "3", "4.1", "4.2"]
    content = {part.part_id: octets[part.start : part.end] for part in read.parts}
    assert content["1"] == b"first"
    assert content["3.1"] == b"inner text"
    assert content["3"].startswith(b"Subject: inner\r\n")
    assert content["3"].endswith(b"--b3--\r\n")
    assert content["4.2.2"] == b"rich"


def test_given_an_attached_message_of_one_part_when_read_then_that_is_part_one_of_it() -> None:
    inner = "Subject: inner\r\n\r\nHello"

    read = read_message(message(inner, "Content-Type: message/rfc822"))

    assert [part.part_id for part in read.parts] == ["1", "1.1"]
    assert read.text_body == ""


def test_given_a_digest_when_read_then_its_parts_are_messages() -> None:
    content = multipart("\r\nSubject: a\r\n\r\nHello\r\n")

    read = read_message(message(content, "Content-Type: multipart/digest; boundary=outer"))

    assert [(part.part_id, part.content_type) for part in read.parts] == [
        ("1", "message/rfc822"),
        ("1.1", "text/plain"),
    ]


def test_given_no_header_at_all_when_read_then_the_content_is_text() -> None:
    read = read_message(b"\r\nHello\r\nthere")

    assert read.text_body == "Hello\nthere"
    assert read.headers == ()


def test_given_boundaries_that_begin_alike_when_read_then_each_delimits_its_own() -> None:
    inner = multipart(a_part("one"), a_part("two"), boundary="outer-1")
    content = multipart(a_part(inner, "Content-Type: multipart/mixed; boundary=outer-1"), a_part("three"))

    octets = message(content, "Content-Type: multipart/mixed; boundary=outer")

    read = read_message(octets)
    assert [octets[part.start : part.end] for part in read.parts] == [b"one", b"two", b"three"]
    assert [part.part_id for part in read.parts] == ["1.1", "1.2", "2"]
    assert read.defects == ()


def test_given_text_with_dashes_when_read_then_it_is_no_delimiter() -> None:
    content = multipart(a_part("-- \r\n--outerspace\r\n --outer\r\n--\r\nJane"))

    read = read_message(message(content, "Content-Type: multipart/mixed; boundary=outer"))

    assert read.text_body == "-- \n--outerspace\n --outer\n--\nJane"
    assert read.defects == ()


def test_given_text_and_html_when_read_then_both_are_bodies_and_the_picture_is_inline() -> None:
    html = a_part("<img src=cid:pic>", "Content-Type: text/html")
    picture = a_part("GIF", "Content-Type: image/gif; name=a.gif", "Content-ID: <pic>")
    related = a_part(multipart(html, picture, boundary="r"), "Content-Type: multipart/related; boundary=r")
    octets = message(multipart(a_part("text"), related), "Content-Type: multipart/alternative; boundary=outer")

    read = read_message(octets)

    assert (read.text_body, read.html_body) == ("text", "<img src=cid:pic>")
    picture_part = part_of(octets, "2.2")
    assert picture_part.is_inline
    assert picture_part.is_attachment
    assert (picture_part.content_id, picture_part.file_name) == ("pic", "a.gif")
    assert [part.part_id for part in read.parts if part.is_body] == ["1", "2.1"]


def test_given_a_text_file_attached_when_read_then_it_is_not_the_body() -> None:
    file = a_part("log", "Content-Type: text/plain", "Content-Disposition: attachment; filename=x.log")
    named = a_part("log", "Content-Type: text/plain; name=y.log")
    octets = message(
        multipart(a_part("<p>", "Content-Type: text/html"), file, named),
        "Content-Type: multipart/mixed; boundary=outer",
    )

    read = read_message(octets)

    assert (read.text_body, read.html_body) == ("", "<p>")
    assert [part.file_name for part in read.parts if part.is_attachment] == ["x.log", "y.log"]
    assert not part_of(octets, "2").is_inline


def test_given_the_beginning_of_a_message_when_read_then_it_is_truncated_rather_than_broken() -> None:
    octets = message(multipart(a_part("first"), a_part("second")), "Content-Type: multipart/mixed; boundary=outer")

    read = read_message(octets[: octets.index(b"second") + 3], is_complete=False)

    assert read.defects == (Defect.TRUNCATED,)
    assert read.text_body == "first"


def test_given_a_body_above_a_mebibyte_when_read_then_it_is_cut_at_a_whole_character() -> None:
    octets = message("é" * 2**20, "Content-Type: text/plain; charset=utf-8")

    read = read_message(octets)

    assert read.text_body == "é" * 2**19
    assert read.defects == (Defect.TRUNCATED,)
    assert read.parts[0].encoded_size_bytes == 2 * 2**20


def test_given_a_body_of_exactly_a_mebibyte_when_read_then_nothing_is_cut() -> None:
    read = read_message(message("x" * 2**20))

    assert len(read.text_body) == 2**20
    assert read.defects == ()


def test_given_more_parts_than_are_listed_when_read_then_the_attached_message_around_them_ends_where_it_does() -> None:
    many = multipart(*(a_part("x") for _ in range(600)), boundary="inner")
    attached = a_part(f"Content-Type: multipart/mixed; boundary=inner\r\n\r\n{many}", "Content-Type: message/rfc822")
    octets = message(multipart(attached, a_part("last")), "Content-Type: multipart/mixed; boundary=outer")

    read = read_message(octets)

    assert len(read.parts) == 500
    assert octets[: read.parts[0].end].endswith(b"--inner--\r\n")
    assert read.defects == (Defect.TRUNCATED,)
