"""The Graph simulator as a whole: what a sandbox holds, and what tests ask of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from service.sandbox.graph.access import Access
from service.sandbox.graph.directory import Directory
from service.sandbox.graph.faults import Fault, PlannedFaults
from service.sandbox.graph.item import Folder, Item
from service.sandbox.graph.limits import Limits
from service.sandbox.graph.mailboxes import Mailboxes
from service.sandbox.graph.records import Records, RequestRecord
from service.sandbox.graph.sending import Sending
from service.sandbox.graph.throttle import Throttle
from service.sandbox.graph.tokens import GraphTokens
from service.sandbox.graph.uploads import Uploads
from service.sandbox.identity.behaviour import Behaviour
from service.sandbox.identity.provider import IdentityProvider
from service.sandbox.inbox import Inbox

GRAPH_PATH: Final = "/sandbox/graph"
"""Where the simulator is on the web side; a configuration's base URL ends in it."""
DEFAULT_SILENCE: Final = timedelta(seconds=60)
_SOON: Final = timedelta(seconds=10)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class GraphSimulator:
    """
    Behaves as Microsoft Graph does towards one that sends mail; everything is in memory.

    Takes the tokens that *identity*, behaving like Microsoft, gives for Graph; what is sent lands in *inbox*. *silence*
    is how long a request is left unanswered at most. To be used from one event loop; *now* is asked for every instant.
    """

    def __init__(
        self,
        *,
        identity: IdentityProvider,
        inbox: Inbox,
        limits: Limits | None = None,
        silence: timedelta = DEFAULT_SILENCE,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self.identity = identity
        self.inbox = inbox
        self.silence = silence
        self.now = now
        self.directory = Directory()
        """Mailboxes, rights, application permissions; to be changed freely."""
        self.records = Records()
        """Every request."""
        self.throttle = Throttle(limits or Limits())
        self.faults = PlannedFaults()
        self.mailboxes = Mailboxes(now=now)
        self.uploads = Uploads(now=now)
        self.access = Access(self.directory)
        self.tokens = GraphTokens(access_tokens=identity.access_tokens, now=now)
        self.sending = Sending(
            inbox=inbox, mailboxes=self.mailboxes, access=self.access, limits=lambda: self.limits, now=now
        )

    @property
    def limits(self) -> Limits:
        """The limits of the moment; assign others at any time."""
        return self.throttle.limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self.throttle.limits = limits

    @property
    def rewrites_message_ids(self) -> bool:
        """Whether messages get another Message-ID on their way, as Exchange does on some paths; may be assigned."""
        return self.sending.rewrites_message_ids

    @rewrites_message_ids.setter
    def rewrites_message_ids(self, rewrites: bool) -> None:
        self.sending.rewrites_message_ids = rewrites

    def root(self, web_url: str) -> str:
        """Returns the base URL, without the version, for clients that reach the web side at *web_url*."""
        return f"{web_url.rstrip('/')}{GRAPH_PATH}"

    def access_token(self, account: str, *permissions: str, lifetime: timedelta | None = None) -> str:
        """
        Returns a token for *account* ("": the application itself) without any consent, e.g. for ``"Mail.Send"``.

        Without *permissions* it is for everything.
        """
        scopes = [f"https://graph.microsoft.com/{each}" for each in permissions or (".default",)]
        return self.identity.issue_access_token(Behaviour.MICROSOFT, account, " ".join(scopes), lifetime=lifetime)

    def fail_next(self, fault: Fault) -> None:
        """Lets *fault* strike the next requests that fit; faults planned earlier come first."""
        self.faults.plan(fault)

    def drafts(self, mailbox: str = "") -> list[Item]:
        """Returns the drafts of a mailbox, of all without one, the newest first."""
        return self._in(Folder.DRAFTS, mailbox)

    def sent(self, mailbox: str = "") -> list[Item]:
        """Returns the copies in Sent Items, those that do not show up yet included, the newest first."""
        return self._in(Folder.SENT_ITEMS, mailbox)

    async def wait_for(self, matching: Callable[[RequestRecord], bool], within: timedelta = _SOON) -> RequestRecord:
        """Returns the oldest request that matches, as soon as there is one. Raises TimeoutError."""
        return await self.records.wait_for(matching, within)

    def reset(self) -> None:
        """Forgets faults, requests, messages, sessions and throttling; limits and rights stay."""
        self.faults.clear()
        self.records.reset()
        self.throttle.forget()
        self.mailboxes.clear()
        self.uploads.clear()

    def _in(self, folder: Folder, mailbox: str) -> list[Item]:
        wanted = {"", mailbox.casefold()}
        found = [item for item in self.mailboxes if item.folder is folder]
        return [item for item in reversed(found) if not mailbox or item.mailbox in wanted]
