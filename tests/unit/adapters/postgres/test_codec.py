"""Writing and reading back is the identity; what cannot be stored is replaced, and what is missing is not made up."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.postgres.codec import (
    Json,
    address_from,
    failure_from,
    failure_to,
    is_storable,
    recipient_from,
    recipient_to,
    storable,
    trace_from,
    trace_to,
    warning_from,
    warning_to,
)
from adapters.postgres.delivery_rows import delivery_from, delivery_to, parse_id
from adapters.postgres.settings_codec import Secrets, secrets_of, settings_from, settings_to
from domain.address import EmailAddress
from domain.delivery import Recipient, RecipientState
from domain.errors import Warning
from domain.failures.failure import Failure, FailureKind, Fix, Stage
from domain.failures.trace import TlsSession, Trace, TraceStep
from domain.host import Host
from domain.limits import AccountLimits
from domain.reasons import Reason
from domain.secret import Secret, UnreadableSecret
from domain.settings.model import (
    BasicAuthentication,
    ConnectionSecurity,
    DataCenterPolicy,
    GrantType,
    GraphTransport,
    MailboxSettings,
    MailSettings,
    OAuthAuthentication,
    OAuthProvider,
    SmtpTransport,
    TlsVersion,
    unreadable_secrets,
)
from tests.builders import (
    a_delivery,
    a_failure,
    a_mailbox,
    a_recipient,
    a_trace,
    an_oauth_authentication,
    some_settings,
)

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
instants = st.datetimes(timezones=st.just(UTC))
durations = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=2))
addresses = st.builds(
    EmailAddress,
    local_part=st.sampled_from(["anna", '"a@b c"', "börte"]),
    domain=st.sampled_from(["example.com", "[::1]"]),
)
failures = st.builds(
    Failure,
    reason=st.sampled_from(Reason),
    kind=st.sampled_from(FailureKind),
    stage=st.sampled_from(Stage),
    cause=texts,
    remedy=texts,
    provider_code=texts,
    provider_reply=texts,
    retry_time=st.none() | instants,
    fixes=st.lists(
        st.builds(
            Fix,
            field=texts,
            value=texts,
            also=st.lists(st.builds(Fix, field=texts, value=texts), max_size=2).map(tuple),
        ),
        max_size=2,
    ).map(tuple),
)
sessions = st.builds(
    TlsSession,
    version=texts,
    cipher=texts,
    certificate_subject=texts,
    certificate_issuer=texts,
    certificate_expire_time=st.none() | instants,
)
steps = st.builds(
    TraceStep,
    stage=st.sampled_from(Stage),
    succeeded=st.booleans(),
    duration=durations,
    detail=texts,
    peer=texts,
    reply=texts,
    tls=st.none() | sessions,
)
traces = st.builds(Trace, start_time=instants, steps=st.lists(steps, max_size=3).map(tuple))
recipients = st.builds(
    Recipient,
    address=addresses,
    state=st.sampled_from(RecipientState),
    failure=st.none() | failures,
    reply=texts,
    accept_time=st.none() | instants,
)
warnings = st.builds(Warning, field=texts, reason=st.sampled_from(Reason), message=texts, remedy=texts)
secrets = st.builds(Secret, texts)
smtp = st.builds(
    SmtpTransport,
    host=st.builds(Host, texts),
    port=st.integers(1, 65535),
    security=st.sampled_from(ConnectionSecurity),
    minimum_tls_version=st.sampled_from(TlsVersion),
    ca_certificates=texts,
    ehlo_name=texts,
)
numbers = st.none() | st.integers(1, 10**7)
account_limits = st.builds(
    AccountLimits,
    connections=numbers,
    messages_per_minute=numbers,
    messages_per_day=numbers,
    recipients_per_day=numbers,
)
graph = st.builds(GraphTransport, base_url=texts, mailbox=st.none() | addresses, save_to_sent_items=st.booleans())
basic = st.builds(BasicAuthentication, username=texts, password=secrets)
oauth = st.builds(
    OAuthAuthentication,
    provider=st.sampled_from(OAuthProvider),
    client_id=texts,
    client_secret=secrets,
    authorization_endpoint=texts,
    token_endpoint=texts,
    scopes=st.lists(texts, max_size=3).map(tuple),
    username=texts,
    revocation_endpoint=texts,
    client_secret_expire_time=st.none() | instants,
    redirect_url=texts,
    directory_tenant=texts,
    grant_type=st.sampled_from(GrantType),
)
mailbox = st.builds(
    MailboxSettings,
    email=addresses,
    host=st.builds(Host, texts),
    port=st.integers(1, 65535),
    security=st.sampled_from(ConnectionSecurity),
    minimum_tls_version=st.sampled_from(TlsVersion),
    ca_certificates=texts,
)
mailboxes = st.one_of(
    st.none(),
    mailbox.map(lambda box: replace(box, use_oauth=True)),
    st.builds(lambda box, secret: replace(box, password=secret), mailbox, secrets),
)
settings = st.builds(
    MailSettings,
    from_address=addresses,
    transport=smtp | graph,
    authentication=st.none() | basic | oauth,
    from_name=texts,
    allowed_from=st.lists(addresses, max_size=2).map(tuple),
    data_center=texts,
    data_center_policy=st.sampled_from(DataCenterPolicy),
    mailbox=mailboxes,
    limits=account_limits,
)


def through_json(row: Json | None) -> Any:
    """What jsonb gives back of *row*."""
    return json.loads(json.dumps(row))


@given(failures)
def test_given_any_failure_when_written_and_read_then_it_is_the_same(failure: Failure) -> None:
    row = through_json(failure_to(failure))

    assert failure_from(row) == failure


@given(traces)
def test_given_any_trace_when_written_and_read_then_it_is_the_same(trace: Trace) -> None:
    row = through_json(trace_to(trace))

    assert trace_from(row) == trace


@given(recipients)
def test_given_any_recipient_when_written_and_read_then_it_is_the_same(recipient: Recipient) -> None:
    row = through_json(recipient_to(recipient))

    assert recipient_from(row) == recipient


@given(warnings)
def test_given_any_warning_when_written_and_read_then_it_is_the_same(warning: Warning) -> None:
    row = through_json(warning_to(warning))

    assert warning_from(row) == warning


@given(settings)
def test_given_any_settings_when_written_and_read_with_their_secrets_then_they_are_the_same(
    value: MailSettings,
) -> None:
    row = through_json(settings_to(value))

    assert settings_from(row, secrets_of(value)) == value


def test_given_a_row_from_before_there_were_limits_when_read_then_none_is_set() -> None:
    row = {name: value for name, value in settings_to(some_settings()).items() if name != "limits"}

    assert settings_from(row, secrets_of(some_settings())).limits.are_none


def test_given_a_row_from_before_a_mailbox_had_a_say_in_tls_when_read_then_it_is_as_ever() -> None:
    row, secrets = settings_to(some_settings(mailbox=a_mailbox())), secrets_of(some_settings(mailbox=a_mailbox()))
    del row["mailbox"]["minimum_tls_version"], row["mailbox"]["ca_certificates"]

    assert settings_from(row, secrets) == some_settings(mailbox=a_mailbox())


def test_given_a_row_from_before_there_were_grant_types_when_read_then_a_person_consents() -> None:
    row = settings_to(some_settings(authentication=an_oauth_authentication()))
    del row["oauth"]["grant_type"]

    read = settings_from(row, Secrets(None, Secret("client secret"), None))

    assert isinstance(read.authentication, OAuthAuthentication)
    assert read.authentication.grant_type is GrantType.AUTHORIZATION_CODE


@given(settings)
def test_given_any_settings_when_written_then_their_secrets_are_not_in_the_row(value: MailSettings) -> None:
    marked = Secrets(*(Secret("canary") if secret is not None else None for secret in secrets_of(value)))
    secretive = settings_from(settings_to(value), marked)

    row = json.dumps(settings_to(secretive))

    assert "canary" not in row


@given(st.lists(recipients, max_size=2).map(tuple), st.none() | failures, st.integers(0, 9))
def test_given_any_delivery_when_written_and_read_then_it_is_the_same(
    people: tuple[Recipient, ...], failure: Failure | None, count: int
) -> None:
    delivery = a_delivery(recipients=people, failure=failure, attempt_count=count, doubt_count=count)

    row = {name: getattr(value, "obj", value) for name, value in delivery_to(delivery).items()}

    assert delivery_from(row) == delivery


@pytest.mark.parametrize("address", ["anna@example.com", '"a@b"@example.com', "anna@[IPv6:2001:db8::1]"])
def test_given_an_address_when_read_then_only_the_last_at_parts_it(address: str) -> None:
    read = address_from(address)

    assert str(read) == address
    assert "@" not in read.domain


@given(st.text(st.characters(), max_size=20))
def test_given_any_text_of_a_peer_when_made_storable_then_it_is_and_nothing_else_changes(text: str) -> None:
    stored = storable(text)

    assert is_storable(stored)
    assert len(stored) == len(text)
    assert all(new in (old, "\ufffd") for old, new in zip(text, stored, strict=True))
    assert (stored == text) is is_storable(text)
    stored.encode()


def test_given_a_row_of_a_version_with_more_and_with_less_when_read_then_what_is_known_is_taken() -> None:
    """P29: versions N-1 and N work on the same rows."""
    newer = {**through_json(failure_to(a_failure())), "of_tomorrow": 1, "reason": "OF_TOMORROW"}
    older = {"address": "anna@example.com", "state": "PENDING"}

    failure = failure_from(newer)

    assert failure == replace(a_failure(), reason=Reason.INTERNAL)
    assert recipient_from(older) == a_recipient()


def test_given_steps_without_their_optional_fields_when_read_then_they_are_empty() -> None:
    step = {"stage": "DNS", "succeeded": True, "duration_us": 5}
    row = {"start_time": a_trace().start_time.isoformat(), "steps": [step]}

    trace = trace_from(row)

    assert trace == Trace(a_trace().start_time, (TraceStep(Stage.DNS, True, timedelta(microseconds=5)),))


@pytest.mark.parametrize(
    ("value", "missing"),
    [
        (some_settings(), "settings.basic.password"),
        (some_settings(authentication=an_oauth_authentication()), "settings.oauth.client_secret"),
        (some_settings(authentication=None, mailbox=a_mailbox()), "settings.mailbox.password"),
    ],
)
def test_given_a_secret_that_is_not_there_when_read_then_unreadable_and_never_settings_without_one(
    value: MailSettings, missing: str
) -> None:
    read = settings_from(settings_to(value), Secrets(None, None, None))

    assert unreadable_secrets(read) == (missing,)


def test_given_an_unreadable_secret_when_taken_out_then_it_stays_unreadable() -> None:
    read = settings_from(settings_to(some_settings()), Secrets(UnreadableSecret(), None, None))

    assert isinstance(secrets_of(read).basic_password, UnreadableSecret)


@given(st.uuids())
def test_given_an_id_as_we_write_it_when_parsed_then_it_is_one_of_ours(identity: UUID) -> None:
    assert parse_id(str(identity)) == identity


@pytest.mark.parametrize(
    "text", ["", "1", "{0199d0c0-0000-7000-8000-000000000001}", "0199D0C0-0000-7000-8000-000000000001", "0199d0c0\0"]
)
def test_given_an_id_written_in_another_way_when_parsed_then_none(text: str) -> None:
    assert parse_id(text) is None
