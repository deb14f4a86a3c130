"""The step that all reading begins with: which mailbox a configuration reads, and as whom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from domain.account import Account
from domain.configuration import needs_consent
from domain.errors import NotReady
from domain.grant import grant_for
from domain.ports.mailbox import MailboxAccount, account_in
from domain.ports.storage import UnitOfWork
from domain.reasons import Reason
from domain.secret import UnreadableSecret
from domain.settings.model import MailSettings
from service.usecases.changed_accounts import lanes_of
from service.usecases.fresh_tokens import living, nobody_consented
from service.usecases.lookup import configuration_of
from service.usecases.prove import unreadable
from service.usecases.token_sources import TokenSources


@dataclass(frozen=True, slots=True)
class OpenMailbox:
    """Finds the mailbox of a configuration's active settings; connects to nothing."""

    uow: Callable[[], UnitOfWork]
    sources: TokenSources

    async def __call__(self, tenant: str, configuration_id: str) -> MailboxAccount:
        """
        Returns the mailbox to read.

        Raises NotFound, NotReady NOT_CONFIGURED or MAILBOX_DISABLED, SecretUnreadable, AuthorizationRequired when its
        consent is missing, ProviderRefused with why the consent is dead.
        """
        async with self.uow() as work:
            configuration = await configuration_of(work, tenant, configuration_id)
            active = configuration.require_active()
            grants = (await work.grants.of(tenant, [configuration_id])).get(configuration_id, ())
        settings = active.settings
        mailbox = settings.mailbox
        if mailbox is None:
            raise mailbox_disabled(configuration_id)
        check_mailbox_secret(settings)
        lane = [lanes_of(Account(tenant, configuration_id)), "mailbox", str(active.number)]
        if mailbox.use_oauth:
            grant = grant_for(settings, grants)
            if grant is not None:
                lane.append(living(grant).grant_id)
            elif needs_consent(settings):
                raise nobody_consented()
        account = account_in(
            settings, tokens=self.sources.reading(tenant, configuration_id, settings), lane="\0".join(lane)
        )
        assert account is not None
        return account


def mailbox_disabled(configuration_id: str) -> NotReady:
    """Returns the error for a configuration that only sends."""
    return NotReady(
        f"Configuration {configuration_id} has no mailbox.",
        reason=Reason.MAILBOX_DISABLED,
        remedy="Set settings.mailbox with Configure, then call ValidateAndSave.",
        metadata={"configuration_id": configuration_id},
    )


def check_mailbox_secret(settings: MailSettings) -> None:
    """Raises SecretUnreadable when what the mailbox is opened with is stored and does not open."""
    if settings.mailbox is not None and isinstance(settings.mailbox.password, UnreadableSecret):
        raise unreadable("settings.mailbox.password")
