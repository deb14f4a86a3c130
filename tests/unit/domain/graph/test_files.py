"""Files found where they lie in a flattened message, and decoded piece by piece."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.graph.files import files_in, header_end, pieces_of, without_files
from domain.message import Attachment
from tests.graph_builders import a_file, a_message


def named(name: str, content: bytes, content_id: str = "", content_type: str = "application/pdf") -> Attachment:
    return Attachment(file_name=name, content_type=content_type, content=content, content_id=content_id)


def test_given_attachments_when_read_then_each_is_found_with_its_name_type_and_size() -> None:
    content = a_message(named("Bericht ä.pdf", b"x" * 100), named("empty.bin", b""), a_file(5000))

    files = files_in(content)

    assert [(file.name, file.size) for file in files] == [("Bericht ä.pdf", 100), ("empty.bin", 0), ("data.bin", 5000)]
    assert files[0].content_type == "application/pdf"
    assert not any(file.is_inline or file.is_related for file in files)


def test_given_inline_images_when_read_then_they_belong_to_the_html_and_keep_their_id() -> None:
    image = named("logo.png", b"png", "logo@x", "image/png")
    content = a_message(image, named("a.pdf", b"pdf"), html_body='<img src="cid:logo@x">')

    logo, pdf = files_in(content)

    assert (logo.content_id, logo.is_inline, logo.is_related) == ("logo@x", True, True)
    assert (pdf.content_id, pdf.is_inline, pdf.is_related) == ("", False, False)


@given(st.binary(max_size=5000), st.integers(0, 5000), st.integers(1, 700))
def test_given_any_file_when_decoded_from_anywhere_then_the_pieces_are_its_octets(
    octets: bytes, first: int, largest: int
) -> None:
    content = a_message(named("x.bin", octets))
    (file,) = files_in(content)

    pieces = list(pieces_of(content, file, first=first, largest=largest))

    assert b"".join(pieces) == octets[first:]
    assert all(len(piece) == largest for piece in pieces[:-1])
    assert file.size == len(octets)


def test_given_a_file_above_a_mebibyte_when_decoded_in_ranges_then_none_is_lost_between_them() -> None:
    attachment = a_file(3_500_001)
    content = a_message(attachment)
    (file,) = files_in(content)

    pieces = list(pieces_of(content, file, largest=1 << 20))

    assert b"".join(pieces) == attachment.content


def test_given_files_taken_out_when_the_rest_is_read_then_it_is_the_message_without_them() -> None:
    content = a_message(a_file(3000, "one.bin"), a_file(10, "two.bin"), html_body="<b>hi</b>")
    first, _ = files_in(content)

    rest = without_files(content, [first], header=content[: header_end(content)])

    assert [file.name for file in files_in(rest)] == ["two.bin"]
    assert b"<b>hi</b>" in rest
    assert without_files(content, [], header=content[: header_end(content)]) == content


@pytest.mark.parametrize(
    ("encoding", "body", "octets"),
    [
        ("base64", base64.encodebytes(b"some octets" * 20).replace(b"\n", b"\r\n"), b"some octets" * 20),
        ("base64", b"c29t\r\n ZSE\r\n", b"some!"),
        ("quoted-printable", b"caf=C3=A9 =\r\nis=20here", "café is here".encode()),
        ("7bit", b"as it is", b"as it is"),
        ("8bit", b"as it \xe9s", b"as it \xe9s"),
    ],
)
def test_given_another_program_s_encoding_when_decoded_then_it_is_read_by_its_rules(
    encoding: str, body: bytes, octets: bytes
) -> None:
    content = (
        b'From: a@x.example\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\npreamble\r\n--b\r\n\r\nhello\r\n'
        b"--b\r\n"
        b'Content-Type: text/csv; charset=latin1; name="t.csv"\r\nContent-Disposition: attachment; filename="t.csv"\r\n'
        + f"Content-Transfer-Encoding: {encoding}\r\n\r\n".encode()
        + body
        + b"\r\n--b--\r\nepilogue\r\n"
    )

    (file,) = files_in(content)

    assert b"".join(pieces_of(content, file)) == octets
    assert (file.name, file.content_type, file.size) == ("t.csv", 'text/csv; charset="latin1"', len(octets))


@pytest.mark.parametrize("kind", ["multipart/signed", "multipart/encrypted", "multipart/report"])
def test_given_parts_that_belong_together_when_read_then_none_is_taken_out(kind: str) -> None:
    content = (
        f'Content-Type: {kind}; boundary="b"\r\n\r\n--b\r\n\r\nhello\r\n--b\r\n'
        'Content-Type: application/pdf; name="x.pdf"\r\n\r\nx\r\n--b--\r\n'
    ).encode()

    assert files_in(content) == ()


@given(st.binary(max_size=400))
def test_given_any_octets_when_read_then_nothing_is_raised_and_files_lie_within(octets: bytes) -> None:
    content = b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + octets.replace(b"\n", b"\r\n--b\r\n")

    for file in files_in(content):
        assert 0 <= file.start <= file.body <= file.end <= len(content)
