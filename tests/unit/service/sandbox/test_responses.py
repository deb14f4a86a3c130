from __future__ import annotations

from email.message import Message
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.sandbox.responses import content_disposition


def names_in(header: str) -> tuple[str, str]:
    plain, _, extended = header.removeprefix('attachment; filename="').partition("\"; filename*=UTF-8''")
    return plain, unquote(extended)


@pytest.mark.parametrize(
    ("file_name", "expected"),
    [
        ("report.pdf", "report.pdf"),
        ("größe.txt", "größe.txt"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("..\\..\\boot.ini", "_.._boot.ini"),
        ('a"; filename="b.exe', "a_; filename=_b.exe"),
        ("a\r\nSet-Cookie: x=1", "a__Set-Cookie_ x=1"),
        ("invoice\u202efdp.exe", "invoice_fdp.exe"),
        (".htaccess", "htaccess"),
        ("", "attachment"),
        (" . . ", "attachment"),
        ("x" * 500, "x" * 120),
    ],
)
def test_given_a_file_name_when_offered_for_download_then_it_is_safe_to_save(file_name: str, expected: str) -> None:
    _, extended = names_in(content_disposition(file_name))

    assert extended == expected


@given(st.text(max_size=200))
def test_given_any_file_name_when_offered_then_the_header_is_one_well_formed_line(file_name: str) -> None:
    header = content_disposition(file_name)

    message = Message()
    message["Content-Disposition"] = header
    plain, _ = names_in(header)
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2
    assert plain
    assert not set(plain) & set('/\\"')
    assert message.get_content_disposition() == "attachment"
