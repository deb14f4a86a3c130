"""Client commands that change and read configurations."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from mailport.v1 import configuration_pb2, mail_service_pb2
from service.cli.commands import client_command
from service.cli.fixes import apply_change, split_fix
from service.cli.protojson import read_message
from service.cli.secrets import secret_from
from service.cli.sender_options import GraphOptions, LimitOptions, SenderOptions, SmtpOptions
from service.cli.session import Session
from service.cli.sign_in_options import MailboxOptions, OAuthOptions, SignInOptions
from service.terminal.choices import draw_options
from service.terminal.configurations import draw_configuration, draw_configurations
from service.terminal.consents import draw_given_up
from service.terminal.failures import draw_warnings

ConfigurationId = Annotated[str, typer.Argument(metavar="ID", help="The configuration, e.g. alerts.")]
Etag = Annotated[str, typer.Option(metavar="ETAG", help="Refuse if the configuration has changed since.")]
PageSize = Annotated[int, typer.Option(metavar="N", help="Most to answer, 1 to 500.")]
PageToken = Annotated[str, typer.Option(metavar="TOKEN", help="Go on where the page before ended.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsOptions:
    """All settings, as options."""

    sender: SenderOptions
    smtp_server: SmtpOptions
    graph_api: GraphOptions
    sending_limits: LimitOptions
    sign_in: SignInOptions
    oauth_client: OAuthOptions
    mailbox_server: MailboxOptions

    def read(self, *, file: Path | None, is_json: bool) -> configuration_pb2.Settings:
        """Returns the settings that the options say, or those in *file*. Raises typer.BadParameter for both at once."""
        if file is not None:
            if self != _NOTHING:
                raise typer.BadParameter("the file holds all settings; give no other one", param_hint="--settings")
            return read_message(file, configuration_pb2.Settings, option="--settings")
        settings = configuration_pb2.Settings()
        self.sender.write(settings)
        self.smtp_server.write(settings)
        self.graph_api.write(settings)
        self.sending_limits.write(settings)
        self.oauth_client.write(settings, username=self.sign_in.username, is_json=is_json)
        self.sign_in.write(settings, is_json=is_json)
        self.mailbox_server.write(settings, is_json=is_json)
        return settings

    @property
    def without_secrets(self) -> SettingsOptions:
        """Returns the same without the passwords and the client secret."""
        return replace(
            self,
            sign_in=replace(self.sign_in, password_file=None, password_stdin=False),
            oauth_client=replace(self.oauth_client, client_secret_file=None),
            mailbox_server=replace(self.mailbox_server, mailbox_password_file=None),
        )

    def write_secrets(self, settings: configuration_pb2.Settings, *, is_json: bool) -> None:
        """Puts the secrets that are given into *settings*, which have the account; others stay unset."""
        if settings.HasField("basic") and self.sign_in.has_password:
            replace(self.sign_in, username=settings.basic.username).write(settings, is_json=is_json)
        if settings.HasField("oauth") and self.oauth_client.client_secret_file is not None:
            file = self.oauth_client.client_secret_file
            settings.oauth.client_secret = secret_from(
                label="Client secret", option="--client-secret-file", file=file, may_ask=False
            )
        if settings.HasField("mailbox") and self.mailbox_server.mailbox_password_file is not None:
            settings.mailbox.password = secret_from(
                label="Password of the mailbox",
                option="--mailbox-password-file",
                file=self.mailbox_server.mailbox_password_file,
                may_ask=False,
            )


_NOTHING = SettingsOptions(
    sender=SenderOptions(),
    smtp_server=SmtpOptions(),
    graph_api=GraphOptions(),
    sending_limits=LimitOptions(),
    sign_in=SignInOptions(),
    oauth_client=OAuthOptions(),
    mailbox_server=MailboxOptions(),
)


def register(app: typer.Typer) -> None:
    """Adds the commands to *app*."""
    client_command(app, "configure")(configure)
    client_command(app, "get")(get)
    client_command(app, "list")(list_configurations)
    client_command(app, "delete")(delete)
    client_command(app, "options")(options)


def configure(
    session: Session,
    configuration_id: ConfigurationId,
    settings_options: SettingsOptions,
    settings: Annotated[
        Path | None, typer.Option(metavar="FILE", help="All settings as JSON instead; - is standard input.")
    ] = None,
    apply_fix: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=VALUE", help="Change the stored settings by a fix that a failure offered; repeatable."
        ),
    ] = None,
    etag: Etag = "",
) -> None:
    """
    Store settings as a draft, replacing those of a former draft as a whole.

    What is in use stays as it is until `validate` has proven the draft. Passwords come from a file, standard input or a
    prompt; left empty, the stored one is kept. With --apply-fix the stored settings, those of the draft if there is
    one, stay but for the fields named.
    """
    if apply_fix:
        if settings is not None or settings_options.without_secrets != _NOTHING:
            raise typer.BadParameter("a fix changes stored settings; give no others", param_hint="--apply-fix")
        written, etag = _fixed(session, configuration_id, apply_fix, etag)
        settings_options.write_secrets(written, is_json=session.is_json)
    else:
        written = settings_options.read(file=settings, is_json=session.is_json)
    request = mail_service_pb2.ConfigureRequest(configuration_id=configuration_id, settings=written, etag=etag)
    response = session.call(session.mail.Configure, request)
    session.answer(
        response,
        lambda style: [
            *draw_configuration(response.configuration, style),
            *_beside_health(response, draw_warnings(response.warnings, style)),
        ],
    )


def _fixed(
    session: Session, configuration_id: str, fixes: list[str], etag: str
) -> tuple[configuration_pb2.Settings, str]:
    """Returns the stored settings with *fixes*, and the etag that says what they were made from."""
    changes = [split_fix(fix) for fix in fixes]
    request = mail_service_pb2.GetConfigurationRequest(configuration_id=configuration_id)
    stored = session.call(session.mail.GetConfiguration, request).configuration
    settings = (stored.draft if stored.HasField("draft") else stored.active).settings
    for change in changes:
        apply_change(settings, change)
    return settings, etag or stored.etag


def _beside_health(response: mail_service_pb2.ConfigureResponse, lines: list[str]) -> list[str]:
    """While something is active, health speaks of that alone, and the new draft's warnings are still to be said."""
    return lines if response.configuration.HasField("active") else []


def get(session: Session, configuration_id: ConfigurationId) -> None:
    """Show a configuration: its revisions and whether it can send. Never a secret."""
    request = mail_service_pb2.GetConfigurationRequest(configuration_id=configuration_id)
    response = session.call(session.mail.GetConfiguration, request)
    session.answer(response, lambda style: draw_configuration(response.configuration, style))


def list_configurations(session: Session, page_size: PageSize = 50, page_token: PageToken = "") -> None:
    """List the configurations by id, a page at a time."""
    request = mail_service_pb2.ListConfigurationsRequest(page_size=page_size, page_token=page_token)
    response = session.call(session.mail.ListConfigurations, request)
    session.answer(
        response,
        lambda style: [*draw_configurations(response.configurations, style), *more(response.next_page_token)],
    )


def delete(
    session: Session,
    configuration_id: ConfigurationId,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    etag: Etag = "",
) -> None:
    """Delete a configuration and shred its secrets. Mail that has not gone out by then is not sent any more."""
    if not yes and not session.is_json and sys.stdin.isatty():
        typer.confirm(f"Delete {configuration_id} and its secrets?", abort=True, err=True)
    request = mail_service_pb2.DeleteConfigurationRequest(configuration_id=configuration_id, etag=etag)
    response = session.call(session.mail.DeleteConfiguration, request)
    session.answer(
        response,
        lambda style: [
            f"{style.tick} {configuration_id} is deleted.",
            *draw_given_up(response.grant_revocation, style),
        ],
    )


def options(session: Session) -> None:
    """Show what can be set: providers and their mail servers, TLS versions, data centers, the callback URL."""
    response = session.call(session.mail.GetOptions, mail_service_pb2.GetOptionsRequest())
    session.answer(response, lambda style: draw_options(response, style))


def more(page_token: str) -> list[str]:
    """Returns how to go on where a page is not the last."""
    return [f"More: --page-token {page_token}"] if page_token else []
