from __future__ import annotations

from email.message import EmailMessage

from hypothesis import given, settings
from hypothesis import strategies as st

from service.sandbox.reading import read_contents, read_headers


def test_given_encoded_words_and_folds_when_reading_headers_then_they_are_decoded() -> None:
    raw = (
        b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n =?utf-8?b?IPCfjok=?=\r\n"
        b"From: =?iso-8859-1?q?J=F6rg?= <joerg@example.test>\r\n\r\nbody"
    )

    headers = dict(read_headers(raw))

    assert headers == {"Subject": "Grüße 🎉", "From": "Jörg <joerg@example.test>"}


def test_given_raw_utf8_when_reading_headers_then_it_is_read_as_such() -> None:
    headers = dict(read_headers("Subject: 日本語\r\nTo: użytkownik@przykład.test\r\n\r\n".encode()))

    assert headers == {"Subject": "日本語", "To": "użytkownik@przykład.test"}


def test_given_an_unknown_charset_when_reading_then_the_text_is_still_given() -> None:
    raw = (
        b"Subject: =?x-nonsense?q?hello?=\r\nContent-Type: text/plain; charset=x-nonsense\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\ngr=C3=BC=C3=9F"
    )

    contents = read_contents(raw)

    assert contents.text_body == "grüß"
    assert "hello" in dict(read_headers(raw))["Subject"]


def test_given_a_mail_with_everything_when_reading_then_parts_are_sorted() -> None:
    message = EmailMessage()
    message.set_content("plain\n")
    message.add_alternative("<p>html</p>\n", subtype="html")
    message.get_payload()[1].add_related(b"\x89PNG", "image", "png", cid="<logo@x>")  # type: ignore[index,union-attr]
    message.add_attachment(b"\x00\x01", maintype="application", subtype="octet-stream", filename="größe.bin")
    message.add_attachment("notes", filename="notes.txt")

    contents = read_contents(message.as_bytes())

    assert contents.text_body == "plain\n"
    assert contents.html_body == "<p>html</p>\n"
    assert [(part.number, part.file_name, part.content_type, part.content_id) for part in contents.attachments] == [
        (1, "", "image/png", "logo@x"),
        (2, "größe.bin", "application/octet-stream", ""),
        (3, "notes.txt", "text/plain", ""),
    ]
    assert contents.attachments[1].content == b"\x00\x01"


def test_given_a_forwarded_mail_when_reading_then_it_is_one_attachment() -> None:
    inner = EmailMessage()
    inner["Subject"] = "inner"
    inner.set_content("inner text")
    message = EmailMessage()
    message.set_content("outer text\n")
    message.add_attachment(inner)

    contents = read_contents(message.as_bytes())

    assert contents.text_body == "outer text\n"
    assert [part.content_type for part in contents.attachments] == ["message/rfc822"]
    assert b"Subject: inner" in contents.attachments[0].content


def test_given_thousands_of_nested_parts_when_reading_then_something_is_shown() -> None:
    depth = 3_000
    opening = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n" for n in range(depth))

    contents = read_contents((opening + "\r\ndeep").encode())

    assert contents.text_body or contents.attachments


@given(st.binary(max_size=2_000))
@settings(max_examples=300, deadline=None)
def test_given_any_octets_when_reading_then_nothing_is_raised_and_all_is_valid_unicode(octets: bytes) -> None:
    headers = read_headers(octets)
    contents = read_contents(octets)

    for text in (*(part for header in headers for part in header), contents.text_body, contents.html_body):
        assert text.encode("utf-8").decode("utf-8") == text


HEADER_NAMES = st.sampled_from(
    ["Content-Type", "Content-Disposition", "Content-Transfer-Encoding", "Subject", "From", "To", "Content-ID"]
)
HEADER_VALUES = st.one_of(
    st.text(alphabet="=?utf-8bqB;\"'*%<>@,: \t()/[]\\é\x00", max_size=60),
    st.sampled_from(
        [
            "multipart/mixed; boundary=x", "multipart/mixed", "message/rfc822", "text/html; charset=rot13",
            "text/plain; charset=\x00", "base64", "x-uuencode", "attachment; filename*=utf-9''%FF%zz",
            "attachment; filename*0*=utf-8''%ff; filename*2=y", "=?utf-8?b?////?=", "text/plain; charset*=x'y'%ff",
        ]
    ),
)  # fmt: skip


@given(st.lists(st.tuples(HEADER_NAMES, HEADER_VALUES), max_size=8), st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_given_malformed_headers_when_reading_then_nothing_is_raised(
    headers: list[tuple[str, str]], body: bytes
) -> None:
    octets = b"".join(f"{name}: {value}\r\n".encode() for name, value in headers) + b"\r\n--x\r\n" + body

    read = read_headers(octets)
    contents = read_contents(octets)

    shown = [value for _, value in read] + [contents.text_body, contents.html_body]
    shown += [text for part in contents.attachments for text in (part.file_name, part.content_type, part.content_id)]
    assert all(text.encode("utf-8").decode("utf-8") == text for text in shown)
