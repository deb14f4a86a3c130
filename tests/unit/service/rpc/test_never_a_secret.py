"""No answer holds a secret, in whatever field (P14)."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message

from domain.configuration import Confirmation
from domain.settings.model import MailboxSettings
from mailport.v1 import configuration_pb2, mail_service_pb2, mailbox_service_pb2
from service.rpc.render import render_configuration, render_configurations_page, render_validated
from service.usecases.paging import Page
from service.usecases.validate_and_save import Validated
from tests.unit.service.rpc.builders import (
    ALERTS,
    CLIENT_SECRET,
    CODE_DIGEST,
    MAILBOX_PASSWORD,
    NOW,
    PASSWORD,
    a_configuration_view,
    a_revision,
    a_trace,
    an_oauth,
    settings,
)

CANARIES = (PASSWORD.encode(), CLIENT_SECRET.encode(), MAILBOX_PASSWORD.encode(), CODE_DIGEST)
SECRET_FIELDS = {
    "access_token",
    "assertion",
    "callback_url",
    "client_assertion",
    "client_secret",
    "code",
    "code_verifier",
    "id_token",
    "password",
    "private_key",
    "refresh_token",
    "secret",
    "token",
    "verifier",
}


def forms(canary: bytes) -> list[bytes]:
    """The secret as it is, and as it would look in base64 at each offset, in hex and in a URL."""
    shifted = [base64.b64encode(b"\0" * offset + canary)[4 if offset else 0 :] for offset in range(3)]
    return [canary, canary.hex().encode(), quote(canary).encode(), *(each.rstrip(b"=")[:-2] for each in shifted)]


def leaks(message: Message) -> list[bytes]:
    """Every form of a canary in the message's bytes or in its JSON."""
    texts = [message.SerializeToString(), json_format.MessageToJson(message).encode()]
    return [form for canary in CANARIES for form in forms(canary) for text in texts if form in text]


def a_view() -> Any:
    confirmation = Confirmation(code_digest=CODE_DIGEST, expire_time=NOW)
    draft = a_revision(2, settings=settings(authentication=an_oauth()), confirmation=confirmation)
    return a_configuration_view(draft=draft)


def test_given_a_planted_secret_when_scanned_for_then_each_form_is_found() -> None:
    planted = configuration_pb2.Settings(from_name=base64.b64encode(b"x" + PASSWORD.encode()).decode())
    plain = configuration_pb2.Settings(basic=configuration_pb2.BasicAuthentication(password=PASSWORD))

    assert leaks(planted)
    assert leaks(plain)


@pytest.mark.parametrize(
    "render",
    [
        render_configuration,
        lambda view: render_configurations_page(Page((view,), has_more=True)),
        lambda view: render_validated(Validated(view, a_trace(), ALERTS, NOW)),
    ],
)
def test_given_canaries_in_every_secret_when_rendered_then_none_is_in_the_answer(
    render: Callable[[Any], Message],
) -> None:
    rendered = render(a_view())

    assert b"alerts@example.com" in rendered.SerializeToString()
    assert leaks(rendered) == []


def test_given_the_contract_when_its_answers_are_walked_then_secret_fields_stand_in_settings_alone() -> None:
    found: set[str] = set()

    def walk(descriptor: Any, path: str, seen: frozenset[str]) -> None:
        for field in descriptor.fields:
            if field.name in SECRET_FIELDS:
                found.add(field.full_name)
            if field.message_type is not None and field.message_type.full_name not in seen:
                walk(field.message_type, f"{path}.{field.name}", seen | {field.message_type.full_name})

    for file in (mail_service_pb2, mailbox_service_pb2):
        for service in file.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                walk(method.output_type, method.name, frozenset())

    assert found == {
        "mailport.v1.BasicAuthentication.password",
        "mailport.v1.OAuthAuthentication.client_secret",
        "mailport.v1.MailboxSettings.password",
        "mailport.v1.GetOptionsResponse.callback_url",  # the service's own address, no secret
        "mailport.v1.SendError.code",  # a status code
    }


def test_given_repr_of_what_is_rendered_then_secrets_do_not_print() -> None:
    box = settings().mailbox

    assert isinstance(box, MailboxSettings)
    assert MAILBOX_PASSWORD not in repr(a_view())
    assert PASSWORD not in repr(a_view())
