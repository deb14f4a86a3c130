"""What may be dialled (P21, T17): the deny table in every form an address can be written in."""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.system.egress import EgressAllowInvalid, EgressPolicy, literal, normal_name

# The table once more, by hand from the specification: a slip in the adapter's copy must not hide in the test.
DENIED_V4 = [
    IPv4Network(text)
    for text in [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
        "168.63.129.16/32",
    ]
]
DENIED_V6 = [
    IPv6Network(text)
    for text in [
        "::/96",
        "::1/128",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
        "64:ff9b:1::/48",
    ]
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "128.0.0.1",
          "168.63.129.15", "168.63.129.17", "169.253.255.255", "172.15.255.255", "172.32.0.0", "192.0.1.0",
          "192.167.255.255", "198.17.255.255", "198.20.0.0", "203.0.112.255", "223.255.255.255",
          "2001:200::1", "2001:4860:4860::8888", "2606:4700::1111", "2a00:1450:4001::5e", "3ffe::1",
          "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"]  # fmt: skip
METADATA = ["169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254",
            "fe80::a9fe:a9fe", "::1", "127.0.0.1", "127.255.255.254", "0.0.0.0", "255.255.255.255", "::",
            "::127.0.0.1", "4000::1", "e000::1", "64:ff9b:1::8.8.8.8", "::ffff:0:8.8.8.8", "fe80::1%1"]  # fmt: skip

NOBODY = EgressPolicy()


def _v4_forms(inner: IPv4Address) -> dict[str, IPv6Address]:
    bits = int(inner)
    return {
        "mapped": IPv6Address(0xFFFF << 32 | bits),
        "compatible": IPv6Address(bits),
        "nat64": IPv6Address(int(IPv6Address("64:ff9b::")) | bits),
        "local nat64": IPv6Address(int(IPv6Address("64:ff9b:1::")) | bits),
        "6to4": IPv6Address(0x2002 << 112 | bits << 80 | 1),
        "teredo": IPv6Address(0x20010000 << 96 | 0x08080808 << 64 | (bits ^ 0xFFFF_FFFF)),
        "translated": IPv6Address(0xFFFF << 48 | bits),
    }


def _corpus() -> list[str]:
    """Both ends of every denied network, each IPv4 one in every IPv6 form, and what attackers ask for."""
    ends = [end for network in DENIED_V4 for end in (network[0], network[-1])]
    wrapped = [form for end in ends for form in _v4_forms(end).values()]
    v6_ends = [end for network in DENIED_V6 for end in (network[0], network[-1])]
    platform = [form for text in ("169.254.169.254", "168.63.129.16") for form in _v4_forms(IPv4Address(text)).values()]
    return list(dict.fromkeys([*METADATA, *map(str, [*ends, *v6_ends, *wrapped, *platform])]))


@pytest.mark.parametrize("text", _corpus())
def test_given_an_address_inside_when_judged_then_refused_with_a_reason(text: str) -> None:
    why = NOBODY.judge(ipaddress.ip_address(text))

    assert why is not None
    assert "in " in why or "outside" in why


@pytest.mark.parametrize("text", PUBLIC)
def test_given_a_public_address_when_judged_then_it_may_be_dialled(text: str) -> None:
    assert NOBODY.judge(ipaddress.ip_address(text)) is None


def test_given_the_corpus_when_counted_then_it_is_as_large_as_the_proof_asks() -> None:
    assert len(_corpus()) >= 150


denied_v4 = st.sampled_from(DENIED_V4).flatmap(lambda network: st.ip_addresses(v=4, network=network))
denied_v6 = st.sampled_from(DENIED_V6).flatmap(lambda network: st.ip_addresses(network=network))


@given(inner=denied_v4)
def test_given_any_denied_ipv4_address_when_judged_in_any_form_then_refused(inner: IPv4Address) -> None:
    forms: dict[str, IPv4Address | IPv6Address] = {"plain": inner, **_v4_forms(inner)}

    verdicts = {form: NOBODY.judge(address) for form, address in forms.items()}

    assert all(verdicts.values()), verdicts


@given(address=denied_v6)
def test_given_any_denied_ipv6_address_when_judged_then_refused(address: IPv6Address) -> None:
    assert NOBODY.judge(address)


@given(address=st.ip_addresses(v=6))
def test_given_any_ipv6_address_when_it_may_be_dialled_then_it_is_public_or_leads_to_public_ipv4(
    address: IPv6Address,
) -> None:
    allowed = NOBODY.judge(address) is None

    is_public = address in IPv6Network("2000::/3") and not any(address in network for network in DENIED_V6)
    is_carrier = address in IPv6Network("::ffff:0:0/96") or address in IPv6Network("64:ff9b::/96")
    assert allowed <= (is_public or is_carrier)


@given(address=st.ip_addresses(v=4))
def test_given_any_ipv4_address_when_judged_then_the_table_decides_and_wrapping_changes_nothing(
    address: IPv4Address,
) -> None:
    is_denied = any(address in network for network in DENIED_V4)

    forms = _v4_forms(address)

    assert (NOBODY.judge(address) is not None) == is_denied
    assert (NOBODY.judge(forms["mapped"]) is not None) == is_denied
    assert (NOBODY.judge(forms["nat64"]) is not None) == is_denied


def test_given_a_wrapped_address_when_refused_then_the_reason_names_what_is_inside() -> None:
    why = NOBODY.judge(IPv6Address("64:ff9b::169.254.169.254"))

    assert why == "169.254.169.254, in 169.254.0.0/16 (link-local, cloud metadata)"


@pytest.mark.parametrize(
    ("allow", "address", "may"),
    [
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "::ffff:10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", True),
        ("10.0.0.0/8", "172.16.0.1", False),
        ("10.0.0.0/8", "2002:a01:203::1", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3", "10.1.2.4", False),
        ("::1", "::1", True),
        ("[::1]", "::1", True),
        ("::1", "127.0.0.1", False),
        ("fd00::/8", "fd12::1", True),
        ("2002::/16", "2002:a01:203::1", True),
        ("127.0.0.0/8, ::1", "127.0.0.1", True),
        ("localhost", "127.0.0.1", False),
        ("0.0.0.0/0", "169.254.169.254", True),
        ("0.0.0.0/0", "fd12::1", False),
    ],
)
def test_given_an_allow_list_when_judging_then_it_adds_those_and_no_others(allow: str, address: str, may: bool) -> None:
    policy = EgressPolicy.parse(allow)

    verdict = policy.judge(ipaddress.ip_address(address))

    assert (verdict is None) == may


@pytest.mark.parametrize("host", ["relay.corp.example", "RELAY.Corp.example", "relay.corp.example."])
def test_given_a_named_host_when_asked_then_allowed_whatever_its_spelling(host: str) -> None:
    policy = EgressPolicy.parse("10.0.0.0/8 Relay.corp.example.,\n fd00::/8")

    assert policy.allows_host(host)
    assert not policy.allows_host("other.corp.example")
    assert len(policy.networks) == 2


@pytest.mark.parametrize("text", ["", "  ", "\n"])
def test_given_an_empty_list_when_parsed_then_only_the_internet_is_allowed(text: str) -> None:
    assert EgressPolicy.parse(text) == EgressPolicy()


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ("10.0.0.1/8", "the network is 10.0.0.0/8"),
        ("10.0.0.0/33", "not a network"),
        ("https://relay/x", "not a network"),
        ("*.corp.example", "wildcard"),
        ("relay:587", "port"),
        ("[::1]:587", "port"),
        ("127.1", "nor a host name"),
        ("0x7f000001", "nor a host name"),
        ("rélay.example", "nor a host name"),
    ],
)
def test_given_a_wrong_entry_when_parsed_then_the_complaint_quotes_it_and_helps(entry: str, complaint: str) -> None:
    with pytest.raises(EgressAllowInvalid) as raised:
        EgressPolicy.parse(entry)

    (problem,) = raised.value.problems
    assert problem.startswith(repr(entry))
    assert complaint in problem


def test_given_several_wrong_entries_when_parsed_then_all_are_reported() -> None:
    with pytest.raises(EgressAllowInvalid) as raised:
        EgressPolicy.parse("10.0.0.1/8, ok.example, *.x")

    assert len(raised.value.problems) == 2


@given(text=st.text(max_size=40))
def test_given_any_text_when_parsed_then_a_policy_or_problems_come_out(text: str) -> None:
    problems: tuple[str, ...] = ()
    policy = None

    try:
        policy = EgressPolicy.parse(text)
    except EgressAllowInvalid as error:
        problems = error.problems

    assert (policy is None) == bool(problems)


@pytest.mark.parametrize(
    "host",
    ["0x7f000001", "0x7f.1", "0X7F.0.0.1", "127.1", "127.0.1", "2130706433", "017700000001", "0177.0.0.1",
     "127.0.0.1.", "1.2.3.4.5", "example.1", "example.0x", "\u2460\u2461\u2466.\u2460", "\uff11\uff12\uff17.1",
     "127\u30020\u30020\u30021", "a..b", ".a", "-a.b", "a-.b", "", ".", "a b", "a\0b", "a" * 64, "a%31",
     "[127.0.0.1]", "http://x", "x/24", "x@y", ".".join(["a" * 63] * 4) + ".abcd"],
)  # fmt: skip
def test_given_a_host_that_only_a_c_library_understands_when_read_then_it_is_neither_name_nor_literal(
    host: str,
) -> None:
    assert normal_name(host) is None
    assert literal(host) is None


@pytest.mark.parametrize("host", ["localhost", "mx_1.example.com", "xn--bcher-kva.example", "1and1.com", "0x7f.com"])
def test_given_a_host_name_when_read_then_it_is_one(host: str) -> None:
    assert normal_name(host) == host
