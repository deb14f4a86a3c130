"""What ValidateAndSave and SendTest answer."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailport.v1 import configuration_pb2
from mailport.v1 import mail_service_pb2 as pb
from service.rpc.render import render_test_sent, render_validated
from service.usecases import send_test
from service.usecases.prove import Proof
from service.usecases.validate_and_save import Validated
from tests.unit.service.rpc.builders import ALERTS, NOW, a_configuration_view, a_revision, a_trace, a_warning

PROOF = Proof(message_id="<1@example.com>", trace=a_trace(), reply="250 2.0.0 queued as 7")


def test_given_a_proof_that_is_active_when_rendered_then_its_warnings_are_the_active_revisions() -> None:
    view = a_configuration_view(draft=None, active=a_revision(warnings=(a_warning(),)))

    rendered = render_validated(Validated(view, a_trace(), ALERTS, None))

    assert rendered.configuration.active.state == configuration_pb2.REVISION_STATE_ACTIVE
    assert len(rendered.warnings) == 1
    assert not rendered.HasField("confirmation_expire_time")
    assert rendered.validation_recipient == "alerts@example.com"
    assert len(rendered.trace.steps) == 2


def test_given_a_proof_that_awaits_confirmation_when_rendered_then_its_expiry_and_the_drafts_warnings_are_told() -> (
    None
):
    view = a_configuration_view(draft=a_revision(2, warnings=(a_warning(), a_warning())))

    rendered = render_validated(Validated(view, a_trace(), ALERTS, NOW + timedelta(minutes=30)))

    assert rendered.confirmation_expire_time.seconds == int(NOW.timestamp()) + 1800
    assert len(rendered.warnings) == 2


@pytest.mark.parametrize("tested", list(send_test.Tested))
def test_given_a_test_mail_when_rendered_then_the_servers_verdict_and_the_settings_used_are_told(
    tested: send_test.Tested,
) -> None:
    rendered = render_test_sent(send_test.TestSent(proof=PROOF, tested=tested, warnings=(a_warning(),)))

    assert pb.TestedSettings.Name(rendered.tested) == f"TESTED_SETTINGS_{tested}"
    assert rendered.provider_reply == "250 2.0.0 queued as 7"
    assert rendered.message_id == "<1@example.com>"
    assert [each.field for each in rendered.warnings] == ["settings.smtp.minimum_tls_version"]
