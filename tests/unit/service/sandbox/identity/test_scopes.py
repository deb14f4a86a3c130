"""What scopes mean to each behaviour."""

from __future__ import annotations

import pytest

from service.sandbox.identity.behaviour import Behaviour
from service.sandbox.identity.scopes import Resource, granted_text, opens_smtp, read_scope, read_scopes, same

OUTLOOK = "https://outlook.office.com/SMTP.Send"


@pytest.mark.parametrize(
    ("text", "behaviour", "resource"),
    [
        ("https://mail.google.com/", Behaviour.GOOGLE, Resource.ANY),
        ("https://mail.google.com", Behaviour.GOOGLE, "unknown"),  # the slash is part of it
        ("offline_access", Behaviour.GOOGLE, "unknown"),
        ("email", Behaviour.GOOGLE, None),
        (OUTLOOK, Behaviour.MICROSOFT, Resource.OUTLOOK),
        ("https://outlook.office365.com/smtp.send", Behaviour.MICROSOFT, Resource.OUTLOOK),
        ("SMTP.Send", Behaviour.MICROSOFT, Resource.GRAPH),
        ("https://graph.microsoft.com/SMTP.Send", Behaviour.MICROSOFT, Resource.GRAPH),
        ("Offline_Access", Behaviour.MICROSOFT, None),
        ("https://outlook.office.com/Mail.Fly", Behaviour.MICROSOFT, "unknown"),
        ("https://outlook.office.com.evil.example/SMTP.Send", Behaviour.MICROSOFT, "unknown"),
        ("https://mail.sandbox.example/", Behaviour.STRICT, Resource.ANY),
        ("https://mail.google.com/", Behaviour.STRICT, "unknown"),
    ],
)
def test_given_a_scope_when_read_then_it_opens_its_resource_or_is_unknown(
    text: str, behaviour: Behaviour, resource: Resource | str | None
) -> None:
    scope = read_scope(text, behaviour)

    assert (scope.resource if scope else "unknown") == resource


def test_given_microsofts_two_hosts_and_cases_when_compared_then_they_are_the_same() -> None:
    one = read_scope(OUTLOOK, Behaviour.MICROSOFT)
    other = read_scope("https://outlook.office365.com/smtp.SEND", Behaviour.MICROSOFT)
    at_graph = read_scope("https://graph.microsoft.com/SMTP.Send", Behaviour.MICROSOFT)

    assert one is not None
    assert other is not None
    assert at_graph is not None
    assert same(one, other)
    assert not same(one, at_graph)


def test_given_a_microsoft_grant_when_told_then_in_other_case_and_order_without_offline_access() -> None:
    """F30."""
    scopes, _ = read_scopes(f"offline_access openid {OUTLOOK}", Behaviour.MICROSOFT)

    told = granted_text(scopes, Behaviour.MICROSOFT)

    assert told == "https://outlook.office.com/smtp.send openid"


@pytest.mark.parametrize(
    ("text", "behaviour", "opens"),
    [
        ("openid https://mail.google.com/", Behaviour.GOOGLE, True),
        ("https://www.googleapis.com/auth/gmail.send", Behaviour.GOOGLE, False),
        (OUTLOOK, Behaviour.MICROSOFT, True),
        ("SMTP.Send", Behaviour.MICROSOFT, False),  # Graph's permission of that name
        ("https://outlook.office.com/IMAP.AccessAsUser.All", Behaviour.MICROSOFT, False),
        ("mail.send", Behaviour.STRICT, True),
        ("mail.read", Behaviour.STRICT, False),
    ],
)
def test_given_granted_scopes_when_sending_over_smtp_then_only_the_mail_scope_of_the_server_opens_it(
    text: str, behaviour: Behaviour, opens: bool
) -> None:
    scopes, unknown = read_scopes(text, behaviour)

    assert unknown == []
    assert opens_smtp(scopes, behaviour) is opens
