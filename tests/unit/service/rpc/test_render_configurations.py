"""Configurations as their owner may see them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given

from domain.connection import TlsVersion
from domain.data_center import nobody_there
from domain.errors import ConfigInvalid
from domain.limits import AccountLimits
from domain.reasons import Reason
from domain.secret import Secret, UnreadableSecret
from domain.settings.model import BasicAuthentication, DataCenterPolicy, GraphTransport, MailSettings
from domain.settings.parse import SettingsRules
from domain.settings.parse import parse_settings as judge_settings
from domain.settings.written import WrittenLimits
from mailport.v1 import configuration_pb2 as pb
from service.rpc.parse import parse_settings
from service.rpc.render import render_configuration
from service.rpc.render.settings import render_settings
from service.rpc.render.values import timestamp
from service.usecases.views import AllowanceView
from tests.unit.domain.keys import json_key
from tests.unit.domain.settings import samples
from tests.unit.service.rpc.builders import (
    a_configuration_view,
    a_failure,
    a_revision,
    a_transport,
    a_warning,
    an_oauth,
    settings,
)
from tests.unit.service.rpc.protobuf_messages import messages

UNREADABLE = settings(authentication=BasicAuthentication("alerts@example.com", UnreadableSecret()))


def read_back(judged: MailSettings) -> MailSettings:
    """What Configure makes of the settings that GetConfiguration answered, secrets left empty."""
    written, _ = parse_settings(render_settings(judged))
    rules = SettingsRules(plaintext_hosts=samples.RULES.plaintext_hosts, data_centers=samples.RULES.data_centers)
    return judge_settings(written, stored=judged, rules=rules, now=samples.NOW).settings


@pytest.mark.parametrize(
    "written",
    [
        samples.written(),
        samples.written(
            from_name="Jürgen", allowed_from=("b@example.com",), data_center="eu-1", mailbox=samples.mailbox()
        ),
        samples.written(authentication=None),
        samples.written(limits=WrittenLimits(1, 2, 3, 4)),
        samples.gmail(limits=WrittenLimits(recipients_per_day=10_000)),
        samples.written(transport=samples.smtp(port=465, security="IMPLICIT_TLS", minimum_tls_version="TLS_1_3")),
        samples.written(transport=samples.smtp(minimum_tls_version="TLS_1_0", ehlo_name="mail.example.com")),
        samples.written(authentication=samples.custom()),
        samples.gmail(),
        samples.exchange(),
        samples.exchange(
            authentication=samples.microsoft(grant_type="CLIENT_CREDENTIALS", directory_tenant="contoso.example")
        ),
        samples.gmail(
            authentication=samples.google(grant_type="JWT_BEARER", client_id="", client_secret=Secret(json_key()))
        ),
        samples.graph(),
        samples.graph(mailbox=samples.mailbox(host="outlook.office365.com", password=None, use_oauth=True)),
    ],
)
def test_given_settings_when_rendered_and_parsed_again_then_they_are_the_same(written: Any) -> None:
    judged = samples.parse(written).settings

    assert read_back(judged) == judged


@given(messages(pb.Settings))
def test_given_any_settings_that_are_taken_when_rendered_and_parsed_again_then_they_are_the_same(
    written: pb.Settings,
) -> None:
    try:
        judged = judge_settings(parse_settings(written)[0], stored=None, rules=samples.RULES, now=samples.NOW).settings
    except ConfigInvalid:
        return
    assert read_back(judged) == judged


def test_given_secrets_when_rendered_then_only_whether_they_are_set_is_told() -> None:
    rendered = render_settings(settings())

    assert rendered.basic.password_set
    assert rendered.mailbox.password_set
    assert (rendered.basic.password, rendered.mailbox.password) == ("", "")
    assert render_settings(settings(authentication=an_oauth())).oauth.client_secret_set
    assert not render_settings(settings(authentication=an_oauth(client_secret=Secret("")))).oauth.client_secret_set


def test_given_a_mailbox_that_uses_oauth_when_rendered_then_no_password_is_claimed() -> None:
    box = settings().mailbox
    assert box is not None
    shared = settings(
        mailbox=type(box)(email=box.email, host=box.host, port=993, security=box.security, use_oauth=True)
    )

    assert not render_settings(shared).mailbox.password_set


@pytest.mark.parametrize("version", list(TlsVersion))
def test_given_each_tls_version_when_rendered_then_it_has_a_number_of_its_own(version: TlsVersion) -> None:
    rendered = render_settings(settings(transport=a_transport(minimum_tls_version=version)))

    assert pb.TlsVersion.Name(rendered.smtp.minimum_tls_version) == f"TLS_VERSION_{version.value[4:]}"


def test_given_graph_without_a_copy_when_rendered_then_the_no_is_told() -> None:
    transport = GraphTransport(base_url="https://graph.microsoft.com", save_to_sent_items=False)

    rendered = render_settings(settings(transport=transport))

    assert rendered.graph.HasField("save_to_sent_items")
    assert not rendered.graph.save_to_sent_items


def test_given_a_configuration_when_rendered_then_both_revisions_and_times_are_told() -> None:
    view = a_configuration_view(draft=a_revision(2, warnings=(a_warning(),)))

    rendered = render_configuration(view)

    assert (rendered.configuration_id, rendered.etag) == ("alerts", '"7"')
    assert rendered.draft.state == pb.REVISION_STATE_READY_TO_VALIDATE
    assert rendered.active.state == pb.REVISION_STATE_ACTIVE
    assert (rendered.draft.number, rendered.active.number) == (2, 1)
    assert [each.reason for each in rendered.draft.warnings] == [Reason.TLS_VERSION_OLD]
    assert rendered.create_time.ToDatetime(UTC) == view.configuration.create_time
    assert rendered.active.HasField("validate_time")
    assert not rendered.draft.HasField("validate_time")
    assert not rendered.HasField("grant")


def test_given_nothing_active_when_rendered_then_health_says_not_configured_with_the_drafts_warnings() -> None:
    health = render_configuration(a_configuration_view(active=None, draft=a_revision(warnings=(a_warning(),)))).health

    assert health.state == pb.HEALTH_STATE_NOT_CONFIGURED
    assert [each.field for each in health.warnings] == ["settings.smtp.minimum_tls_version"]
    assert not health.HasField("failure")


def test_given_working_settings_when_rendered_then_health_says_healthy_with_their_own_warnings() -> None:
    health = render_configuration(a_configuration_view(draft=a_revision(2, warnings=(a_warning(),)))).health

    assert health.state == pb.HEALTH_STATE_HEALTHY
    assert not health.warnings


def test_given_an_unreadable_secret_when_rendered_then_health_says_misconfigured_and_which_field() -> None:
    rendered = render_configuration(a_configuration_view(draft=None, active=a_revision(settings=UNREADABLE)))

    assert rendered.health.state == pb.HEALTH_STATE_MISCONFIGURED
    assert rendered.health.failure.reason == Reason.SECRET_UNREADABLE
    assert "settings.basic.password" in rendered.health.failure.cause
    assert [(each.field, each.reason) for each in rendered.active.warnings] == [
        ("settings.basic.password", Reason.SECRET_UNREADABLE)
    ]
    assert not rendered.active.settings.basic.password_set


def test_given_a_site_where_nobody_is_when_rendered_then_health_says_misconfigured_and_why() -> None:
    view = replace(a_configuration_view(), nobody_there=nobody_there("eu-1", DataCenterPolicy.STRICT))

    health = render_configuration(view).health

    assert health.state == pb.HEALTH_STATE_MISCONFIGURED
    assert health.failure.reason == Reason.DATA_CENTER_AWAY
    assert health.failure.fixes[0].value == "DATA_CENTER_POLICY_PREFERRED"


def test_given_active_oauth_settings_without_consent_when_rendered_then_health_asks_to_authorize() -> None:
    active = a_revision(settings=settings(authentication=an_oauth()))

    health = render_configuration(a_configuration_view(draft=None, active=active)).health

    assert health.state == pb.HEALTH_STATE_REAUTHORIZATION_REQUIRED
    assert health.failure.reason == Reason.NEEDS_AUTHORIZATION
    assert "Authorize" in health.failure.remedy


@pytest.mark.parametrize(
    "time",
    [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ],
)
def test_given_an_instant_when_rendered_then_protobuf_reads_the_same(time: datetime) -> None:
    rendered = timestamp(time)

    assert rendered is not None
    assert rendered.ToDatetime(UTC) == time


def test_given_an_allowance_when_rendered_then_it_stands_in_the_health() -> None:
    until = samples.NOW
    view = replace(
        a_configuration_view(active=a_revision(1)),
        allowance=AllowanceView(AccountLimits(connections=2, messages_per_minute=15), share=0.004, wait_until=until),
    )

    health = render_configuration(view).health

    assert health.allowance.limits == pb.SendingLimits(max_connections=2, messages_per_minute=15)
    assert (health.allowance.percent, health.allowance.wait_time.ToDatetime(tzinfo=UTC)) == (1, until)
    assert not health.allowance.HasField("failure")
    assert health.state == pb.HEALTH_STATE_HEALTHY
    assert not render_configuration(replace(view, allowance=None)).health.HasField("allowance")


def test_given_a_lowered_allowance_when_rendered_then_the_configuration_is_at_risk_and_says_why() -> None:
    lowered = AllowanceView(AccountLimits(connections=1), share=0.5, failure=a_failure(provider_code="432 4.3.2"))

    health = render_configuration(replace(a_configuration_view(active=a_revision(1)), allowance=lowered)).health

    assert (health.state, health.allowance.percent) == (pb.HEALTH_STATE_AT_RISK, 50)
    assert health.allowance.failure.provider_code == "432 4.3.2"
