"""What of an account's credentials must not be repeated, in the forms in which SMTP carries them."""

from __future__ import annotations

from domain.failures import scrub
from domain.failures.scrub import forms_of
from domain.secret import Secret
from domain.settings.model import BasicAuthentication


class Scrubber(scrub.Scrubber):
    """Takes the secrets of one account out of texts; tokens are learnt as they come."""

    def __init__(self, authentication: BasicAuthentication | None = None) -> None:
        super().__init__()
        if authentication is not None:
            username, password = authentication.username, authentication.password.reveal()
            self.learn(forms_of(password, f"\0{username}\0{password}".encode(), f"{username}:{password}".encode()))

    def learn_token(self, token: Secret, *responses: bytes) -> None:
        """Knows *token* from now on, also within *responses*, the messages of SASL that hold it."""
        self.learn(forms_of(token.reveal(), *responses))
