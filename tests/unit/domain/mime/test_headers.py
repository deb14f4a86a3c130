"""Header fields: what a reader decodes is what was written (F01, F03, F05, F06)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from domain.message import NamedAddress
from domain.mime.headers import address_field, date_field, structured_field, text_field
from tests.unit.domain.message_builders import an_address, decoded, judged, wire_faults

F05 = (
    "Re: [ABC-1234567] Commande et livraison - Demande de retour - boutique1 - 251210-AABBCC - Abo actualités "
    "digitales 20 semaines d\u2019abonnement à 24 heures, Bilan, Tribune de Genève et tous les titres Example"
)
TEXT = st.lists(
    st.one_of(
        st.sampled_from(
            [" ", "\t", "=?", "?=", "=?utf-8?q?", "é", "日", "😀", "a", "_", "=", "?", '"', "\\", ",", ":"]
        ),
        st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]),
    ),
    max_size=300,
).map("".join)
LONG_MIX = st.lists(
    st.one_of(
        st.text("abcdefghijklmnopqrstuvwxyz.,-", min_size=1, max_size=90),
        st.text("äéßλ日本語😀a", min_size=1, max_size=40),
        st.integers(1, 5).map(lambda count: " " * count),
    ),
    min_size=1,
    max_size=60,
).map(" ".join)


def lines_of(field: str) -> list[str]:
    return field.split("\r\n")


def content_of(field: str) -> bytes:
    return f"{field}\r\n\r\n".encode()


def quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def blankless(name: str) -> str:
    return "".join(name.split())


def encoded_word_faults(field: str) -> list[str]:
    words = re.findall(r"=\?utf-8\?[qb]\?[^?]*\?=", field)
    faults = [f"longer than 75: {word}" for word in words if len(word) > 75]
    faults += [f"split character: {word}" for word in words if "�" in decoded(content_of(f"X: {word}"), "X")]
    if re.search(r"\?==\?", field):
        faults.append("no blank between two encoded-words")
    return faults


def test_given_the_long_accented_subject_when_written_then_it_decodes_exactly_f05() -> None:
    field = text_field("Subject", F05)

    assert judged(content_of(field))["Subject"] == F05
    assert decoded(content_of(field), "Subject") == F05
    assert encoded_word_faults(field) == []
    assert max(map(len, lines_of(field))) <= 76


@hypothesis(deadline=None)
@given(LONG_MIX)
def test_given_any_mix_of_words_when_written_then_it_decodes_exactly_f05(value: str) -> None:
    field = text_field("Subject", value)

    assert judged(content_of(field))["Subject"] == value
    assert decoded(content_of(field), "Subject") == value
    assert encoded_word_faults(field) == []
    assert wire_faults(content_of(field)) == []
    assert all(len(line) <= 76 or line.isascii() for line in lines_of(field))


@hypothesis(deadline=None)
@given(TEXT)
@example(" ")
@example("a ")
@example(" a")
@example("é  é")
@example("a  é  b")
@example("=?utf-8?q?a=0ABcc:_eve=40example.net?=")
@example("a" * 2000)
@example("a" + " " * 1500 + "b")
def test_given_any_text_when_written_then_one_field_decodes_to_it(value: str) -> None:
    content = content_of(text_field("Subject", value))

    assert judged(content)["Subject"] == value
    assert judged(content).keys() == ["Subject"]
    assert wire_faults(content) == []


def test_given_a_word_of_up_to_998_octets_when_written_then_it_stays_whole_f06() -> None:
    link = "<https://example.com/" + "u" * 900 + ">"

    assert text_field("X-Link", link) == f"X-Link: {link}"
    assert structured_field("List-Unsubscribe", link) == f"List-Unsubscribe: {link}"


def test_given_a_link_that_resembles_an_encoded_word_when_structured_then_it_is_written_as_it_is() -> None:
    link = "<https://example.com/?a=?utf-8?q?b?=>"

    assert structured_field("List-Unsubscribe", f"{link},\t<mailto:u@example.com>") == (
        f"List-Unsubscribe: {link},\r\n <mailto:u@example.com>"
    )


@pytest.mark.parametrize(
    "name",
    [
        "Doe, Jane", "Support (Billing)", "Bob \"Bobby\" O'Neil", "back\\slash", "sales@example.org", "Team: EMEA;",
        "Müller, Jörg", "A véry long name with non-ASCII char and, comma", "=?utf-8?q?x?=", "J. Doe", "two  blanks",
        "A very long name, in ASCII, that has commas and goes on and on and on, well beyond one line of the header",
        "Plain Name", "日本語" * 40, "x" * 1000,
    ],
)  # fmt: skip
@pytest.mark.parametrize("field_name", ["From", "To", "Cc", "Reply-To"])
def test_given_a_name_with_specials_when_written_then_it_is_one_mailbox_f01(name: str, field_name: str) -> None:
    mailbox = NamedAddress(an_address("a@example.com"), name)

    field = address_field(field_name, (mailbox,))

    [read] = judged(content_of(field))[field_name].addresses
    assert read.addr_spec == "a@example.com"
    # The judge shows a blank where a name was cut into several encoded-words; the older decoder joins them.
    assert read.display_name == name or field.count("=?utf-8?") > 1
    assert decoded(content_of(field), field_name).removesuffix(" <a@example.com>") in {name, quoted(name)}
    assert encoded_word_faults(field) == []
    assert not re.search(r'"[^"]*=\?[^"]*"', field)
    assert wire_faults(content_of(field)) == []


@hypothesis(deadline=None)
@given(st.lists(TEXT.map(lambda text: text.replace("\t", " ")).filter(str.strip), min_size=1, max_size=20))
@example(["=?utf-8?q?", "?="])
@example(["a?=", "=?utf-8?b?YQ==", "?="])
def test_given_any_names_when_written_then_there_are_as_many_mailboxes_f01(names: list[str]) -> None:
    mailboxes = [NamedAddress(an_address(f"a{number}@example.com"), name) for number, name in enumerate(names)]

    content = content_of(address_field("To", mailboxes))

    read = judged(content)["To"].addresses
    assert [address.addr_spec for address in read] == [str(mailbox.address) for mailbox in mailboxes]
    # The judge adds and drops blanks between the encoded-words of a phrase.
    assert [blankless(address.display_name) for address in read] == [blankless(name) for name in names]
    assert judged(content).keys() == ["To"]
    assert wire_faults(content) == []


def test_given_a_name_with_blanks_at_its_ends_when_written_then_they_are_kept() -> None:
    field = address_field("To", (NamedAddress(an_address("a@example.com"), " Jörg  Müller "),))

    assert decoded(content_of(field), "To") == " Jörg  Müller  <a@example.com>"


def test_given_100_recipients_when_written_then_the_list_is_folded_between_them() -> None:
    mailboxes = [NamedAddress(an_address(f"recipient{number}@example.com"), "Name") for number in range(100)]

    field = address_field("To", mailboxes)

    assert max(map(len, lines_of(field))) <= 76
    assert len(judged(content_of(field))["To"].addresses) == 100


def test_given_an_international_domain_when_written_then_it_is_an_a_label_f03() -> None:
    field = address_field("To", (NamedAddress(an_address("info@bücher.example"), "Bücher"),))

    assert field == "To: =?utf-8?q?B=C3=BCcher?= <info@xn--bcher-kva.example>"


def test_given_a_local_part_beyond_ascii_when_written_then_it_alone_is_utf8() -> None:
    field = address_field("To", (NamedAddress(an_address("jörg@example.com"), "Jörg"),))

    assert field == "To: =?utf-8?b?SsO2cmc=?= <jörg@example.com>"


@given(st.datetimes(timezones=st.just(UTC)).filter(lambda instant: instant.year >= 1900))
def test_given_any_instant_when_written_then_it_reads_back(instant: datetime) -> None:
    field = date_field(instant)

    assert parsedate_to_datetime(field.removeprefix("Date: ")) == instant.replace(microsecond=0)


def test_given_an_instant_elsewhere_when_written_then_it_is_in_utc() -> None:
    instant = datetime(2026, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))

    assert date_field(instant) == "Date: Wed, 31 Dec 2025 23:30:00 +0000"
