"""Options of `configure` for how the account signs in, and for the mailbox."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from mailport.v1 import configuration_pb2 as api
from service.cli.choices import (
    GrantType,
    MinimumTls,
    Provider,
    Security,
    grant_type_value,
    instant_value,
    provider_value,
    security_value,
    tls_value,
)
from service.cli.files import read_text
from service.cli.secrets import secret_from
from service.cli.sender_options import split_server


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInOptions:
    """A user name and a password."""

    username: Annotated[str, typer.Option(metavar="NAME", help="Account; without one there is no sign-in.")] = ""
    password_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Holds the password; without it a person is asked.")
    ] = None
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input, one line.")
    ] = False

    @property
    def has_password(self) -> bool:
        """Tells whether a password is given."""
        return self.password_file is not None or self.password_stdin

    def write(self, settings: api.Settings, *, is_json: bool) -> None:
        """Puts the values into *settings*; leaves the authentication unset when there are none, or with OAuth."""
        if settings.HasField("oauth"):
            if self.has_password:
                raise typer.BadParameter("an account with OAuth has no password", param_hint="--password-file")
            return
        if not self.username and not self.has_password:
            return
        password = secret_from(
            label=f"Password of {self.username}",
            option="--password-file",
            file=self.password_file,
            is_stdin=self.password_stdin,
            may_ask=True,
            is_json=is_json,
        )
        settings.basic.CopyFrom(api.BasicAuthentication(username=self.username, password=password))


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthOptions:
    """An OAuth client; the account is --username."""

    oauth: Annotated[Provider | None, typer.Option(help="Sign in with OAuth instead of a password.")] = None
    grant_type: Annotated[
        GrantType | None, typer.Option(help="How tokens are come by. Default: a person consents once.")
    ] = None
    client_id: Annotated[str, typer.Option(metavar="ID", help="OAuth client.")] = ""
    client_secret_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Holds its secret, or the service account's key; without it a person is asked."
        ),
    ] = None
    client_secret_expires: Annotated[str, typer.Option(metavar="TIME", help="When the provider ends it.")] = ""
    directory_tenant: Annotated[str, typer.Option(metavar="NAME", help="Microsoft directory. Default: common.")] = ""
    authorization_endpoint: Annotated[str, typer.Option(metavar="URL", help="For custom providers.")] = ""
    token_endpoint: Annotated[str, typer.Option(metavar="URL", help="For custom providers.")] = ""
    revocation_endpoint: Annotated[str, typer.Option(metavar="URL", help="For custom providers.")] = ""
    scope: Annotated[list[str] | None, typer.Option(metavar="SCOPE", help="Scope to ask for; repeatable.")] = None
    redirect_url: Annotated[str, typer.Option(metavar="URL", help="Where the browser comes back to.")] = ""

    def write(self, settings: api.Settings, *, username: str, is_json: bool) -> None:
        """Puts the values into *settings*; leaves the authentication unset when there are none."""
        if self == OAuthOptions():
            return
        secret = secret_from(
            label="Client secret",
            option="--client-secret-file",
            file=self.client_secret_file,
            # A key has many lines, more than a prompt takes.
            may_ask=self.grant_type is not GrantType.JWT_BEARER,
            is_json=is_json,
        )
        expires = self.client_secret_expires
        settings.oauth.CopyFrom(
            api.OAuthAuthentication(
                provider=provider_value(self.oauth),
                client_id=self.client_id,
                client_secret=secret,
                client_secret_expire_time=(
                    instant_value(expires, option="--client-secret-expires") if expires else None
                ),
                authorization_endpoint=self.authorization_endpoint,
                token_endpoint=self.token_endpoint,
                revocation_endpoint=self.revocation_endpoint,
                scopes=self.scope or (),
                username=username,
                redirect_url=self.redirect_url,
                directory_tenant=self.directory_tenant,
                grant_type=grant_type_value(self.grant_type),
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxOptions:
    """The mailbox to read, the "Email box"."""

    mailbox: Annotated[str, typer.Option(metavar="ADDRESS", help="Mailbox to read.")] = ""
    mailbox_server: Annotated[str, typer.Option(metavar="HOST:PORT", help="Its IMAP server.")] = ""
    mailbox_security: Annotated[Security | None, typer.Option(help="Default: by port.")] = None
    mailbox_min_tls: Annotated[MinimumTls | None, typer.Option(help="Lowest TLS version. Default: 1.2.")] = None
    mailbox_ca_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Authorities trusted for its server (PEM).")
    ] = None
    mailbox_password_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Holds its password; without it a person is asked.")
    ] = None
    mailbox_oauth: Annotated[
        bool, typer.Option("--mailbox-oauth", help="Open it with the consent instead of a password.")
    ] = False

    def write(self, settings: api.Settings, *, is_json: bool) -> None:
        """Puts the values into *settings*; leaves the mailbox unset when there are none."""
        if self == MailboxOptions():
            return
        host, port = split_server(self.mailbox_server, option="--mailbox-server") if self.mailbox_server else ("", 0)
        password = secret_from(
            label=f"Password of the mailbox {self.mailbox}",
            option="--mailbox-password-file",
            file=self.mailbox_password_file,
            may_ask=not self.mailbox_oauth,
            is_json=is_json,
        )
        file = self.mailbox_ca_file
        certificates = "" if file is None else read_text(file, option="--mailbox-ca-file")
        settings.mailbox.CopyFrom(
            api.MailboxSettings(
                email=self.mailbox,
                host=host,
                port=port,
                security=security_value(self.mailbox_security),
                password=password,
                use_oauth=self.mailbox_oauth,
                minimum_tls_version=tls_value(self.mailbox_min_tls),
                ca_certificates=certificates,
            )
        )
