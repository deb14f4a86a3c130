"""Settings requests become what the domain judges."""

from __future__ import annotations

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given

from domain.errors import ConfigInvalid
from domain.reasons import Reason
from domain.secret import Secret
from domain.settings.parse import SettingsRules
from domain.settings.parse import parse_settings as judge_settings
from domain.settings.written import WrittenBasic, WrittenGraph, WrittenOAuth, WrittenSettings, WrittenSmtp
from mailport.v1 import configuration_pb2 as pb
from service.rpc.parse import parse_settings
from tests.unit.service.rpc.builders import NOW
from tests.unit.service.rpc.protobuf_messages import messages


def read(written: pb.Settings) -> WrittenSettings:
    settings, _ = parse_settings(written)
    return settings


@given(messages(pb.Settings))
def test_given_any_settings_when_parsed_and_judged_then_nothing_but_config_invalid_is_raised(
    written: pb.Settings,
) -> None:
    fields: list[str] = []
    try:
        judge_settings(read(written), stored=None, rules=SettingsRules(), now=NOW)
    except ConfigInvalid as refused:
        fields = [violation.field for violation in refused.violations]

    assert all(field.startswith("settings") for field in fields)


def test_given_empty_settings_when_parsed_then_everything_is_unset() -> None:
    parsed = parse_settings(pb.Settings())

    assert parsed == (WrittenSettings(), ())


def test_given_an_empty_secret_when_parsed_then_it_counts_as_unset() -> None:
    basic = read(pb.Settings(basic=pb.BasicAuthentication(username="u"))).authentication
    oauth = read(pb.Settings(oauth=pb.OAuthAuthentication(client_id="c"))).authentication
    mailbox = read(pb.Settings(mailbox=pb.MailboxSettings(email="e@example.com"))).mailbox

    assert isinstance(basic, WrittenBasic)
    assert basic.password is None
    assert isinstance(oauth, WrittenOAuth)
    assert oauth.client_secret is None
    assert mailbox is not None
    assert mailbox.password is None


def test_given_output_only_fields_when_parsed_then_they_are_passed_over() -> None:
    claimed = pb.Settings(
        basic=pb.BasicAuthentication(username="u", password="p", password_set=True),
        mailbox=pb.MailboxSettings(email="e@example.com", password_set=True),
    )

    parsed = read(claimed)

    assert parsed.authentication == WrittenBasic(username="u", password=Secret("p"))
    assert parsed.mailbox is not None
    assert parsed.mailbox.password is None


def test_given_enums_when_parsed_then_they_are_the_domains_words() -> None:
    smtp = pb.SmtpTransport(
        security=pb.CONNECTION_SECURITY_IMPLICIT_TLS, minimum_tls_version=pb.TLS_VERSION_1_0, host="h", port=465
    )
    written = pb.Settings(smtp=smtp, data_center_policy=pb.DATA_CENTER_POLICY_STRICT)

    parsed = read(written)

    assert parsed.transport == WrittenSmtp(host="h", port=465, security="IMPLICIT_TLS", minimum_tls_version="TLS_1_0")
    assert parsed.data_center_policy == "STRICT"


def test_given_unknown_enum_numbers_when_judged_then_each_is_a_violation_of_its_field() -> None:
    written = pb.Settings(from_address="a@example.com")
    written.ParseFromString(
        written.SerializeToString()
        + pb.Settings(
            smtp=pb.SmtpTransport(host="smtp.example.com", port=587, security=77, minimum_tls_version=78),  # type: ignore[arg-type]
            data_center_policy=79,  # type: ignore[arg-type]
        ).SerializeToString()
    )

    with pytest.raises(ConfigInvalid) as refused:
        judge_settings(read(written), stored=None, rules=SettingsRules(), now=NOW)

    assert {(each.field, each.reason) for each in refused.value.violations} == {
        ("settings.smtp.security", Reason.VALUE_MALFORMED),
        ("settings.smtp.minimum_tls_version", Reason.VALUE_MALFORMED),
        ("settings.data_center_policy", Reason.VALUE_MALFORMED),
    }


@pytest.mark.parametrize(("given", "parsed"), [(None, None), (False, False), (True, True)])
def test_given_save_to_sent_items_when_parsed_then_unset_differs_from_false(
    given: bool | None, parsed: bool | None
) -> None:
    written = pb.Settings(graph=pb.GraphTransport(save_to_sent_items=given))

    assert read(written).transport == WrittenGraph(save_to_sent_items=parsed)


@pytest.mark.parametrize(
    "time",
    [
        Timestamp(seconds=253_402_300_800),
        Timestamp(seconds=-62_135_596_801),
        Timestamp(nanos=-1),
        Timestamp(nanos=10**9),
    ],
)
def test_given_what_is_no_instant_when_parsed_then_its_field_is_named(time: Timestamp) -> None:
    written = pb.Settings(oauth=pb.OAuthAuthentication(client_secret_expire_time=time))

    _, (violation,) = parse_settings(written)

    assert violation.field == "settings.oauth.client_secret_expire_time"
    assert violation.reason is Reason.VALUE_OUT_OF_RANGE


def test_given_a_million_list_members_when_parsed_then_no_more_are_read_than_are_enough_to_be_refused() -> None:
    written = pb.Settings(allowed_from=[""] * 1_000_000, oauth=pb.OAuthAuthentication(scopes=[""] * 1_000_000))

    parsed = read(written)

    assert len(parsed.allowed_from) == 10_000
    assert isinstance(parsed.authentication, WrittenOAuth)
    assert len(parsed.authentication.scopes) == 10_000
