"""Any octets make a message, within its bounds; what mailport writes comes back as it was."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.message import WrittenAddress, WrittenAttachment
from domain.reading import ContentDecoder, read_header, read_message
from tests.unit.domain.message_builders import MESSAGE_ID, NOW, a_written_message, composed
from tests.unit.domain.reading.laws import check_any, check_header

FRAGMENTS = [
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b": ", b";", b'"', b"=", b"?=", b"=?utf-8?B?", b"=?x?q?", b"<", b">", b"@",
    b",",
    b"From: ",
    b"To: ", b"Subject: ", b"Date: ", b"Message-ID: ", b"References: ", b"Content-Type: ", b"text/plain",
    b"text/html", b"multipart/mixed; boundary=b", b"multipart/report; boundary=b", b"message/rfc822", b"--b", b"--b--",
    b"message/delivery-status", b"Final-Recipient: rfc822; a@b", b"Diagnostic-Code: ", b"X-Failed-Recipients: a@b",
    b"Content-Transfer-Encoding: base64", b"Content-Disposition: attachment; filename*0*=utf-7''",
    b"charset=utf-7",
    b"charset=utf-16", b"+2AA-", b"\x00", b"\xff\xfe", b"\xc3\xa9", b"(", b")", b"\\", b"%ZZ", b"*", b"a@b", b"[", b"]",
]  # fmt: skip
MAIL_LIKE = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.binary(max_size=8)), max_size=60).map(b"".join)
WORDS = st.text(st.characters(blacklist_categories=["Cc", "Cs", "Zl", "Zp", "Cn"]), min_size=1, max_size=60)
TEXTS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\r\0\ufeff"), max_size=400)


@given(st.binary())
def test_given_any_octets_when_read_then_there_is_a_message_within_bounds(octets: bytes) -> None:
    check_any(octets)


@given(MAIL_LIKE)
def test_given_pieces_of_mail_when_read_then_there_is_a_message_within_bounds(octets: bytes) -> None:
    check_any(octets)


@given(MAIL_LIKE)
def test_given_any_header_when_read_then_it_is_within_bounds(octets: bytes) -> None:
    header = read_header(octets)

    check_header(header)
    assert read_header(octets) == header


@given(subject=WORDS, name=WORDS, text=TEXTS, html=TEXTS, file_name=WORDS, content=st.binary(max_size=300))
def test_given_a_message_that_mailport_writes_when_read_then_it_is_what_was_written(
    subject: str, name: str, text: str, html: str, file_name: str, content: bytes
) -> None:
    file_name = file_name.replace("/", "_").replace("\\", "_").strip() or "x"
    written = a_written_message(
        subject=subject.strip(),
        to=(WrittenAddress("t@example.com", name.strip()), WrittenAddress("jörg@bücher.example", "")),
        text_body=text,
        html_body=html,
        attachments=(WrittenAttachment(file_name=f"x{file_name}x", content_type="image/png", content=content or b"x"),),
        headers=(("References", "<a@example.com> <b@example.com>"),),
    )
    octets = composed(written)

    read = read_message(octets)

    assert read.header.subject == subject.strip()
    assert [person.address for person in read.header.to] == ["t@example.com", "jörg@xn--bcher-kva.example"]
    assert read.header.to[0].name == " ".join(name.split())
    assert (read.header.message_id, read.header.write_time) == (MESSAGE_ID, NOW)
    assert read.header.references == ("<a@example.com>", "<b@example.com>")
    assert read.text_body == text
    assert read.html_body == html
    file = next(part for part in read.parts if part.content_type == "image/png")
    assert file.file_name == f"x{file_name}x"
    decoder = ContentDecoder(file.transfer_encoding)
    assert decoder.feed(octets[file.start : file.end]) + decoder.finish() == (content or b"x")
    assert file.is_attachment
    assert read.defects == ()
