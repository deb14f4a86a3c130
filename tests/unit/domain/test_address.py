"""Addresses, hosts and ports: what is taken, in which form, and what is refused with which advice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.address import EmailAddress, Host, parse_address, parse_host, parse_port
from domain.ehlo import ehlo_name_or_none, parse_ehlo_name
from domain.errors import Violation
from domain.reasons import Reason


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("alerts@example.com", "alerts@example.com"),
        ("Alerts@EXAMPLE.Com", "Alerts@example.com"),
        ("Postmaster@example.com", "Postmaster@example.com"),
        ("a+tag@example.com", "a+tag@example.com"),
        ("root@localhost", "root@localhost"),
        ("a@mail.test", "a@mail.test"),
        ("a@mail.invalid", "a@mail.invalid"),
        ("o'neil@example.com", "o'neil@example.com"),
        ("jörg@example.com", "jörg@example.com"),
        ("a@[192.0.2.1]", "a@[192.0.2.1]"),
        ("a@[ipv6:2001:DB8:0::1]", "a@[IPv6:2001:db8::1]"),
        ('"a b"@example.com', '"a b"@example.com'),
        ('"a@b"@example.com', '"a@b"@example.com'),
        ('"a"@example.com', "a@example.com"),
        ("a" * 64 + "@example.com", "a" * 64 + "@example.com"),
    ],
)
def test_given_a_bare_address_when_parsing_then_it_is_taken(text: str, address: str) -> None:
    parsed = parse_address(text, field="to")

    assert str(parsed) == address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("info@bücher.example", "info@xn--bcher-kva.example"),
        ("noreply@MÜLLER.example", "noreply@xn--mller-kva.example"),
        ("a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
    ],
)
def test_given_an_international_domain_when_parsing_then_it_becomes_a_labels_f03(text: str, address: str) -> None:
    parsed = parse_address(text, field="to")

    assert str(parsed) == address
    assert isinstance(parsed, EmailAddress)
    assert parsed.is_ascii


@pytest.mark.parametrize("text", ["a@a..example", "a@-x.example", "a@x-.example", "a@example.com.", "a@xn--99999999"])
def test_given_a_domain_that_is_not_idna_when_parsing_then_it_is_refused_f03(text: str) -> None:
    parsed = parse_address(text, field="to")

    assert isinstance(parsed, Violation)
    assert parsed.reason is Reason.ADDRESS_INVALID


@pytest.mark.parametrize(
    "text",
    ['"Team" <team@example.com>', "Néel <git@example.com>", "<team@example.com>", "team@example.com "],
)
def test_given_a_name_or_blanks_beside_the_address_when_parsing_then_it_says_that_the_name_has_its_own_field_f02(
    text: str,
) -> None:
    parsed = parse_address(text, field="settings.from_address")

    assert isinstance(parsed, Violation)
    assert parsed.reason is Reason.ADDRESS_INVALID
    assert parsed.field == "settings.from_address"
    assert "name has its own field" in parsed.remedy


@pytest.mark.parametrize("character", ["\r", "\n", "\0", "\t", "\x0b", "\x7f", "\x85", "\u2028", "\ud800"])
@pytest.mark.parametrize("place", ["a{}b@example.com", "a@exam{}ple.com", '"a{}b"@example.com'])
def test_given_a_control_character_when_parsing_an_address_then_it_is_refused_f04(character: str, place: str) -> None:
    parsed = parse_address(place.format(character), field="to")

    assert isinstance(parsed, Violation)
    assert parsed.reason is Reason.CONTROL_CHARACTER


@pytest.mark.parametrize(
    "text",
    [
        "a" * 65 + "@example.com",
        "ö" * 33 + "@example.com",
        "alerts@" + ".".join(["a" * 60] * 4) + ".example",
        "a" * 100_000 + "@example.com",
        "no-at-sign",
        "@example.com",
        "a@",
        "a@b@c",
        "a b@example.com",
        ".a@example.com",
        "a..b@example.com",
        '"a@example.com',
        'a"b@example.com',
        "a@example.com, b@example.com",
        "a@example.com (Bob)",
        "mailto:a@example.com",
        "a@b_c.example",
        "a@127.1",
        "a@192.0.2.1",
        "a@[192.0.2]",
        "a@[IPv6:fe80::1%eth0]",
        "a\uff20example.com",
    ],
)
def test_given_no_bare_address_when_parsing_then_it_is_refused_with_a_remedy(text: str) -> None:
    parsed = parse_address(text, field="to")

    assert isinstance(parsed, Violation)
    assert parsed.reason is Reason.ADDRESS_INVALID
    assert parsed.remedy
    assert len(parsed.message) < 400


@pytest.mark.parametrize("text", ["", "  "])
def test_given_nothing_when_parsing_an_address_then_it_is_missing(text: str) -> None:
    parsed = parse_address(text, field="to")

    assert isinstance(parsed, Violation)
    assert parsed.reason is Reason.FIELD_REQUIRED


def test_given_two_spellings_when_comparing_accounts_then_case_is_set_aside() -> None:
    one = EmailAddress("Alerts", "example.com")
    other = EmailAddress("alerts", "example.com")

    assert one.same_account(other)
    assert one != other
    assert not one.same_account(EmailAddress("alerts", "example.org"))


def test_given_a_local_part_beyond_ascii_when_asked_then_it_needs_smtputf8() -> None:
    parsed = parse_address("jörg@example.com", field="to")

    assert isinstance(parsed, EmailAddress)
    assert not parsed.is_ascii


@given(st.text(max_size=100) | st.from_regex(r"[\w.+-]{1,70}@[\w.-]{1,70}", fullmatch=True))
def test_given_any_text_when_parsing_an_address_then_parsing_its_result_again_changes_nothing(text: str) -> None:
    parsed = parse_address(text, field="to")

    again = parse_address(str(parsed), field="to") if isinstance(parsed, EmailAddress) else parsed

    assert again == parsed


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("smtp.example.com", "smtp.example.com"),
        ("SMTP.Example.COM", "smtp.example.com"),
        ("mail", "mail"),
        ("localhost", "localhost"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("XN--bcher-kva.example", "xn--bcher-kva.example"),
        ("r3---sn.example.com", "r3---sn.example.com"),
        ("192.0.2.10", "192.0.2.10"),
        ("2001:DB8:0:0::10", "2001:db8::10"),
        ("[2001:db8::10]", "2001:db8::10"),
    ],
)
def test_given_a_host_when_parsing_then_it_has_one_form(text: str, name: str) -> None:
    parsed = parse_host(text, field="settings.smtp.host")

    assert parsed == Host(name)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("https://smtp.example.com", 'Remove "https://"'),
        ("smtp://smtp.example.com:587", 'Remove "smtp://"'),
        ("smtp.example.com:587", "the port has its own field"),
        ("[2001:db8::10]:587", "the port has its own field"),
        ("smtp.example.com/mail", "slash"),
        ("smtp.example.com?x", "slash"),
        ("user:secret@smtp.example.com", "they have their own fields"),
        (" smtp.example.com", "blanks"),
        ("smtp example.com", "blanks"),
        ("smtp.example.com\n", "line breaks"),
        ("fe80::1%eth0", "%"),
        ("[192.0.2.10]", "without brackets"),
        ("::ffff:192.0.2.10", "192.0.2.10"),
    ],
)
def test_given_more_than_a_host_when_parsing_then_it_says_what_to_remove(text: str, advice: str) -> None:
    parsed = parse_host(text, field="settings.smtp.host")

    assert isinstance(parsed, Violation)
    assert parsed.reason is Reason.HOST_INVALID
    assert advice in parsed.remedy
    assert "secret" not in parsed.message + parsed.remedy


@pytest.mark.parametrize(
    "text",
    [
        "127.1",
        "0x7f000001",
        "0x7f.1",
        "2130706433",
        "0177.0.0.1",
        "①②⑦.0.0.1",
        "\uff11\uff12\uff17.0.0.1",
        "127。0。0。1",
        "1.2.3.4.5",
        "256.0.0.1",
        "smtp_relay.example",
        "smtp.example.com.",
        ".example.com",
        "a..example",
        "-x.example",
        "a" * 64 + ".example",
        ".".join(["a" * 60] * 5),
        "a" * 100_000,
        "xn--99999999.example",
        "*.example.com",
        "[::1",
        "a:b",
    ],
)
def test_given_no_host_when_parsing_then_it_is_refused(text: str) -> None:
    parsed = parse_host(text, field="settings.smtp.host")

    assert isinstance(parsed, Violation)
    assert parsed.reason is Reason.HOST_INVALID
    assert parsed.remedy


@given(st.text(max_size=60) | st.from_regex(r"[\w.:\[\]-]{1,60}", fullmatch=True))
def test_given_any_text_when_parsing_a_host_then_parsing_its_result_again_changes_nothing(text: str) -> None:
    parsed = parse_host(text, field="h")

    again = parse_host(parsed.name, field="h") if isinstance(parsed, Host) else parsed

    assert again == parsed


@pytest.mark.parametrize(
    ("name", "is_ip_literal", "is_loopback"),
    [
        ("127.0.0.1", True, True),
        ("127.9.9.9", True, True),
        ("::1", True, True),
        ("localhost", False, True),
        ("192.0.2.1", True, False),
        ("localhost.example.com", False, False),
        ("127.0.0.1.example.com", False, False),
    ],
)
def test_given_a_host_when_asked_then_it_knows_what_it_is(name: str, is_ip_literal: bool, is_loopback: bool) -> None:
    host = Host(name)

    assert host.is_ip_literal is is_ip_literal
    assert host.is_loopback is is_loopback


def test_given_a_host_when_asked_for_its_domain_then_a_longer_label_does_not_count() -> None:
    assert Host("smtp.example.com").is_under("example.com")
    assert Host("example.com").is_under("example.com")
    assert not Host("badexample.com").is_under("example.com")


@given(st.integers())
def test_given_any_number_when_parsing_a_port_then_only_1_to_65535_is_one(number: int) -> None:
    parsed = parse_port(number, field="settings.smtp.port")

    assert (parsed == number) is (1 <= number <= 65535)
    assert isinstance(parsed, int) or (parsed.reason is Reason.PORT_OUT_OF_RANGE and parsed.remedy)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("mail.example.com", "mail.example.com"),
        ("MAIL.Example.com", "mail.example.com"),
        ("[192.0.2.10]", "[192.0.2.10]"),
        ("[IPv6:2001:DB8::1]", "[IPv6:2001:db8::1]"),
    ],
)
def test_given_a_fit_name_when_parsing_the_ehlo_name_then_it_is_taken_f12(text: str, name: str) -> None:
    assert parse_ehlo_name(text, field="settings.smtp.ehlo_name") == name


@pytest.mark.parametrize(
    "text",
    ["15b0717dc4c2", "a_b.example", "localhost", "", "192.0.2.10", "[300.0.0.1]", "[x]", "a b.example", "x.localhost"],
)
def test_given_an_unfit_name_when_parsing_the_ehlo_name_then_it_is_refused_f12(text: str) -> None:
    parsed = parse_ehlo_name(text, field="settings.smtp.ehlo_name")

    assert isinstance(parsed, Violation)
    assert parsed.reason is Reason.VALUE_MALFORMED
    assert ehlo_name_or_none(text) is None
