from __future__ import annotations

import pytest

from service.sandbox.identity.behaviour import Behaviour
from service.sandbox.identity.scopes import opens_imap, opens_smtp, read_scopes


@pytest.mark.parametrize(
    ("behaviour", "scope", "opens"),
    [
        (Behaviour.GOOGLE, "https://mail.google.com/", "smtp imap"),
        (Behaviour.GOOGLE, "https://www.googleapis.com/auth/gmail.send", ""),
        (Behaviour.MICROSOFT, "https://outlook.office.com/SMTP.Send", "smtp"),
        (Behaviour.MICROSOFT, "https://outlook.office.com/IMAP.AccessAsUser.All", "imap"),
        (Behaviour.MICROSOFT, "https://outlook.office365.com/IMAP.AccessAsApp", "imap"),
        (Behaviour.MICROSOFT, "https://outlook.office365.com/.default", "smtp imap"),
        (Behaviour.MICROSOFT, "https://graph.microsoft.com/IMAP.AccessAsUser.All", ""),
        (Behaviour.STRICT, "https://mail.sandbox.example/", "smtp imap"),
        (Behaviour.STRICT, "mail.send", "smtp"),
        (Behaviour.STRICT, "mail.read", "imap"),
    ],
)
def test_given_a_scope_when_asked_what_it_opens_then_sending_and_reading_are_apart(
    behaviour: Behaviour, scope: str, opens: str
) -> None:
    scopes, unknown = read_scopes(scope, behaviour)

    assert unknown == []
    found = [name for name, test in (("smtp", opens_smtp), ("imap", opens_imap)) if test(scopes, behaviour)]
    assert " ".join(found) == opens
