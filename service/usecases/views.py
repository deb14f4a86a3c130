"""What use cases answer with: domain values and what was found out about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.bounce import Bounce
from domain.configuration import Configuration, Revision, RevisionState, revision_state
from domain.consent import ConsentRecord, standing
from domain.data_center import Presence, is_served, nobody_there
from domain.delivery import Attempt, Delivery
from domain.failures.failure import Failure
from domain.forecast import Forecast, forecasts, is_near
from domain.grant import Grant, grant_for, issuer_of
from domain.limits import AccountLimits
from domain.pause import Pause
from domain.ports.allowances import StoredAllowance
from domain.ports.storage import UnitOfWork
from domain.resource import sending_resource
from domain.settings.limits import limits_of
from domain.settings.model import MailSettings, OAuthAuthentication, unreadable_secrets
from domain.token_life import Freshness, freshness


@dataclass(frozen=True, slots=True)
class GrantView:
    """A grant, and how good the access token is that mail is sent with."""

    grant: Grant
    freshness: Freshness
    access_token_expire_time: datetime | None


@dataclass(frozen=True, slots=True)
class RevisionView:
    """A revision and what it waits for."""

    revision: Revision
    state: RevisionState
    unreadable: tuple[str, ...]
    """Field paths of stored secrets that do not open."""
    grant: GrantView | None = None
    """What it would sign in with, dead or alive; None without OAuth, or before anybody consented."""


@dataclass(frozen=True, slots=True)
class AllowanceView:
    """What the active revision may send just now."""

    limits: AccountLimits
    """Those in force: set, else the provider's, lowered where the server throttles."""
    share: float = 1.0
    """Of the limits, in (0, 1]."""
    wait_until: datetime | None = None
    """Mail waits until then; None: none does."""
    failure: Failure | None = None
    """What lowered it; None: nothing."""


@dataclass(frozen=True, slots=True)
class ConfigurationView:
    """A configuration as its owner may see it."""

    configuration: Configuration
    draft: RevisionView | None
    active: RevisionView | None
    pause: Pause | None = None
    """Why nothing of the active revision is tried for now."""
    grant: GrantView | None = None
    consent: ConsentRecord | None = None
    """The latest consent session, as it stands now."""
    forecasts: tuple[Forecast, ...] = ()
    """Ends that can be foreseen, the nearest first: of the active revision, else of the draft."""
    risks: tuple[Forecast, ...] = ()
    """Those of the forecasts that are near enough to act on."""
    nobody_there: Failure | None = None
    """Why mail waits although the settings are sound: no worker lives that may take it."""
    allowance: AllowanceView | None = None
    """None: nothing is bounded."""


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """A delivery with its attempts."""

    delivery: Delivery
    attempts: tuple[Attempt, ...] = ()
    bounces: tuple[Bounce, ...] = ()
    """What was reported of it after the server had taken it, the newest first."""


async def view_configurations(
    work: UnitOfWork, *configurations: Configuration, now: datetime
) -> list[ConfigurationView]:
    """Views configurations of one tenant together with what is stored beside them."""
    if not configurations:
        return []
    tenant, names = configurations[0].tenant, [each.configuration_id for each in configurations]
    pauses = await work.configurations.pauses(tenant, names)
    grants = await work.grants.of(tenant, names)
    consents = await work.consents.latest(tenant, names)
    sites = {each.active.settings.data_center for each in configurations if each.active is not None}
    present = await work.workers.present() if sites - {""} else None
    allowances = await work.allowances.of(tenant, names)
    return [
        view_configuration(
            each,
            now=now,
            pause=pauses.get(each.configuration_id),
            grants=grants.get(each.configuration_id, ()),
            consent=consents.get(each.configuration_id),
            present=present,
            allowance=allowances.get(each.configuration_id),
        )
        for each in configurations
    ]


def view_configuration(
    configuration: Configuration,
    *,
    now: datetime,
    pause: Pause | None = None,
    grants: Sequence[Grant] = (),
    consent: ConsentRecord | None = None,
    present: Sequence[Presence] | None = None,
    allowance: StoredAllowance | None = None,
) -> ConfigurationView:
    """
    Tells for both revisions what they wait for, and what will end sending.

    A *pause* of another revision than the active one is left out. Of *grants*, which come newest first, the one that
    the active revision sends with is shown, else the draft's. *present*: the workers of all sites; None: judges none.
    """

    def view(revision: Revision | None) -> RevisionView | None:
        if revision is None:
            return None
        grant = grant_for(revision.settings, grants)
        state = revision_state(configuration, revision, has_grant=grant is not None and not grant.is_dead)
        return RevisionView(
            revision=revision,
            state=state,
            unreadable=unreadable_secrets(revision.settings),
            grant=_view_grant(grant, revision.settings, now) if grant is not None else None,
        )

    active, draft = view(configuration.active), view(configuration.draft)
    ends = _forecasts(active or draft, now)
    return ConfigurationView(
        configuration=configuration,
        draft=draft,
        active=active,
        pause=pause if pause is not None and active is not None and pause.revision == active.revision.number else None,
        grant=next((each.grant for each in (active, draft) if each is not None and each.grant is not None), None),
        consent=standing(consent, client=_client_of(draft, active), now=now) if consent is not None else None,
        forecasts=ends,
        risks=tuple(each for each in ends if is_near(each, now=now)),
        nobody_there=_nobody_there(active, present),
        allowance=_view_allowance(active.revision.settings, allowance) if active is not None else None,
    )


def _client_of(*revisions: RevisionView | None) -> OAuthAuthentication | None:
    """Returns whose consent is asked for: that of the first revision that signs in with OAuth."""
    ways = (each.revision.settings.authentication for each in revisions if each is not None)
    return next((each for each in ways if isinstance(each, OAuthAuthentication)), None)


def _view_allowance(settings: MailSettings, stored: StoredAllowance | None) -> AllowanceView | None:
    limits = limits_of(settings)
    if stored is None:
        return None if limits.are_none else AllowanceView(limits)
    allowance, now = stored.allowance.settled(now=stored.now), stored.now
    in_force = allowance.in_force(limits, now=now)
    if in_force.are_none and not allowance.is_lowered(now=now):
        return None
    return AllowanceView(
        limits=in_force,
        share=allowance.share(now=now),
        wait_until=stored.wait_until if stored.wait_until is not None and stored.wait_until > now else None,
        failure=allowance.failure,
    )


def _nobody_there(active: RevisionView | None, present: Sequence[Presence] | None) -> Failure | None:
    if active is None or present is None or not active.revision.settings.data_center:
        return None
    site, policy = active.revision.settings.data_center, active.revision.settings.data_center_policy
    return None if is_served(site, policy, present) else nobody_there(site, policy)


def _view_grant(grant: Grant, settings: MailSettings, now: datetime) -> GrantView:
    client = settings.authentication
    assert isinstance(client, OAuthAuthentication)
    resource = sending_resource(settings, issuer=issuer_of(client))
    token = grant.access_token(resource)
    return GrantView(
        grant=grant,
        freshness=freshness(grant, resource, now=now, jitter=0.0),
        access_token_expire_time=token.expire_time if token is not None else None,
    )


def _forecasts(shown: RevisionView | None, now: datetime) -> tuple[Forecast, ...]:
    authentication = shown.revision.settings.authentication if shown is not None else None
    if shown is None or not isinstance(authentication, OAuthAuthentication):
        return ()
    return forecasts(authentication, shown.grant.grant if shown.grant is not None else None, now=now)
