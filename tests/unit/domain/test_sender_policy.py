from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.sender_policy import (
    DmarcPolicy,
    SendingServer,
    SpfCoverage,
    SpfMechanism,
    SpfRecord,
    SpfTerm,
    dmarc_names,
    is_public,
    read_dmarc,
    read_spf,
)


def test_given_a_record_when_read_then_only_what_lets_pass_is_kept() -> None:
    text = (
        "v=spf1 +a:mail.corp.de/28 mx -ip4:192.0.2.9 ip4:198.51.100.0/24 ip6:2001:db8::/32 "
        "include:_Spf.Google.com. ?ptr ~all"
    )

    record = read_spf(["google-site-verification=x", text])

    assert record == SpfRecord(
        terms=(
            SpfTerm(SpfMechanism.A, domain="mail.corp.de"),
            SpfTerm(SpfMechanism.MX),
            SpfTerm(SpfMechanism.IP4, network=ipaddress.ip_network("198.51.100.0/24")),
            SpfTerm(SpfMechanism.IP6, network=ipaddress.ip_network("2001:db8::/32")),
            SpfTerm(SpfMechanism.INCLUDE, domain="_spf.google.com"),
        )
    )


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], SpfCoverage.MISSING),
        (["v=spf10 -all", "spf2.0/pra -all"], SpfCoverage.MISSING),
        (["v=spf1 -all", "V=SPF1 ~all"], SpfCoverage.SEVERAL),
        (["v=spf1"], SpfRecord(terms=())),
        (["v=spf1 redirect=_spf.corp.de"], SpfRecord(terms=(), redirect="_spf.corp.de")),
        (["v=spf1 redirect=_spf.corp.de -all"], SpfRecord(terms=())),
        (["v=spf1 ip4:999.1.1.1 ip6:nonsense bogus:x"], SpfRecord(terms=())),
        (["v=spf1 all"], SpfRecord(terms=(SpfTerm(SpfMechanism.ALL),))),
    ],
)
def test_given_records_when_read_then_exactly_one_counts(texts: list[str], expected: SpfRecord | SpfCoverage) -> None:
    assert read_spf(texts) == expected


@given(st.lists(st.text() | st.text().map(lambda text: f"v=spf1 {text}"), max_size=3))
def test_given_any_texts_when_read_then_nothing_is_raised(texts: list[str]) -> None:
    assert isinstance(read_spf(texts), SpfRecord | SpfCoverage)
    assert isinstance(read_dmarc(texts), DmarcPolicy)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["v=DMARC1; p=reject; rua=mailto:a@b.de"], DmarcPolicy.REJECT),
        (["v=DMARC1;p=Quarantine"], DmarcPolicy.QUARANTINE),
        (["x", "v=DMARC1; sp=reject; p=none"], DmarcPolicy.NONE),
        (["v=DMARC1; sp=reject"], DmarcPolicy.NONE),
        (["v=DMARC2; p=reject"], DmarcPolicy.MISSING),
        ([], DmarcPolicy.MISSING),
    ],
)
def test_given_policies_when_read_then_the_domains_own_is_told(texts: list[str], expected: DmarcPolicy) -> None:
    assert read_dmarc(texts) is expected


@pytest.mark.parametrize(
    ("domain", "names"),
    [
        ("corp.de", ("_dmarc.corp.de",)),
        ("mail.eu.corp.de", ("_dmarc.mail.eu.corp.de", "_dmarc.corp.de")),
        ("mail.corp.co.uk", ("_dmarc.mail.corp.co.uk", "_dmarc.corp.co.uk")),
        ("corp.co.uk", ("_dmarc.corp.co.uk",)),
    ],
)
def test_given_a_domain_when_asked_where_its_policy_stands_then_it_and_its_organisation_are_named(
    domain: str, names: tuple[str, ...]
) -> None:
    assert dmarc_names(domain) == names


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("corp.de", True),
        ("[192.0.2.1]", False),
        ("localhost", False),
        ("sandbox.example", False),
        ("mail.example.com", False),
        ("myexample.com", True),
        ("host.internal", False),
    ],
)
def test_given_a_domain_when_judged_then_names_for_tests_and_examples_have_no_records(
    domain: str, expected: bool
) -> None:
    assert is_public(domain) is expected


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        ("_spf.google.com", True),
        ("spf.hoster.de", True),
        ("hoster.de.", True),
        ("spf.other.de", False),
        ("", False),
    ],
)
def test_given_an_include_when_judged_then_the_providers_record_and_the_hosts_own_domain_name_the_server(
    include: str, expected: bool
) -> None:
    server = SendingServer(host="smtp.hoster.de", spf_domains=("_spf.google.com",))

    assert server.is_named_by(include) is expected
