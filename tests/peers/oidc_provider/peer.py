"""npm's oidc-provider as a peer: installed once, started on a free port, gone after the tests."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.peers import npm
from tests.peers.net import free_port, wait_port

FOLDER: Final = Path(__file__).parent
CLIENT_ID: Final = "mailport"
CLIENT_SECRET: Final = "mailport-secret"
MAIL_SCOPE: Final = "https://mail.example.test/"
SCOPES: Final = ("openid", "offline_access", "email", MAIL_SCOPE)

_START_SECONDS: Final = 30


class OidcProvider:
    """
    A running provider that knows the client `CLIENT_ID` and takes codes to *redirect_uris*.

    Access tokens live for *access_token_seconds*. The client has to prove itself by *client_proof*, a word of OpenID
    Connect Core section 9; ``client_secret_basic`` is what the provider takes where nobody says. Its log goes to
    *folder*.
    """

    def __init__(
        self,
        *,
        folder: Path,
        redirect_uris: Sequence[str],
        access_token_seconds: int = 60,
        client_proof: str = "client_secret_post",
    ) -> None:
        self.port = free_port()
        self._folder = folder
        self._environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "PORT": str(self.port),
            "REDIRECT_URIS": " ".join(redirect_uris),
            "ACCESS_TTL": str(access_token_seconds),
            "CLIENT_PROOF": client_proof,
            "NODE_NO_WARNINGS": "1",
        }
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def missing() -> str | None:
        """Returns why the provider cannot run here, or None if it can; installs its packages on the first call."""
        return npm.missing(FOLDER)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def authorization_endpoint(self) -> str:
        return f"{self.issuer}/auth"

    @property
    def token_endpoint(self) -> str:
        return f"{self.issuer}/token"

    @property
    def revocation_endpoint(self) -> str:
        return f"{self.issuer}/token/revocation"

    @property
    def introspection_endpoint(self) -> str:
        """Takes the client dovecot; the user is the answer's ``sub``."""
        return f"{self.issuer}/token/introspection"

    def start(self) -> None:
        """Returns when the provider answers. Raises RuntimeError with its log if it does not."""
        with (self._folder / "oidc-provider.log").open("wb") as log:
            self._process = subprocess.Popen(
                ["node", FOLDER / "provider.mjs"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_port(self.port, _START_SECONDS)
        except OSError as error:
            self.stop()
            raise RuntimeError(f"the provider did not start: {self.log()}") from error

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def log(self) -> str:
        """Returns what the provider printed so far."""
        return (self._folder / "oidc-provider.log").read_text(errors="replace")
