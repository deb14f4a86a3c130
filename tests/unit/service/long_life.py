"""Mailport over months of a clock that a test moves: providers with rules of their own, two keepers, rare mail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from domain.errors import ProviderRefused
from domain.forecast import ForecastKind
from domain.grant import Grant, GrantKey
from domain.secret import Secret
from domain.settings.model import MailSettings, OAuthAuthentication
from domain.token import TokenAnswer, TokenRefusal
from mailport.v1 import configuration_pb2 as pb
from service.rpc.render.health import render_health
from tests.builders import NOW, TENANT, a_configuration
from tests.fakes.authorization import FakeAuthorizationServer, a_refusal
from tests.unit.service.processes import Process, a_grant_for, client_of
from tests.unit.service.world import CALLER, World

DAY: Final = timedelta(days=1)
STEP: Final = timedelta(hours=12)
"""
How far the clock moves between two rounds of the keepers, 72 times as far as in life.

What mailport does in time at this pace it does at the true one: each round comes later, none sooner.
"""
Span = tuple[float, float]
"""From one day on and until another, counted from the consent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a provider does with a refresh token."""

    idle: timedelta | None = None
    """It ends when it was not used for so long."""
    life: timedelta | None = None
    """It ends after so long, whatever is done with it."""
    slides: bool = False
    """Each use begins `life` anew."""
    tells: bool = False
    """Answers have ``refresh_token_expires_in``."""
    rotates: bool = False
    secret_end: timedelta | None = None
    """The client secret is refused from then on."""


@dataclass(slots=True)
class _Family:
    rules: Rules
    token: str
    last_use: datetime
    life_from: datetime
    number: int = 1
    secret: str = "client secret"
    secret_end: datetime | None = None

    def end(self) -> datetime | None:
        ends = [
            start + span
            for start, span in ((self.last_use, self.rules.idle), (self.life_from, self.rules.life))
            if span is not None
        ]
        return min(ends, default=None)


class RuledProvider(FakeAuthorizationServer):
    """Refreshes by `Rules`, which are the client's whose id is the configuration's."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__()
        self.down = False
        self.least_left: dict[str, timedelta] = {}
        """How near an idle limit each configuration's refresh token has come when it was used."""
        self.ends: dict[str, datetime] = {}
        """When the refresh tokens ended that were found to have ended."""
        self.requests: dict[str, int] = {}
        self._now = now
        self._families: dict[str, _Family] = {}

    def consented(self, name: str, token: str, rules: Rules) -> timedelta | None:
        """Begins a refresh token's life; returns what the answer says of its length."""
        now = self._now()
        family = _Family(rules, token, now, now)
        family.secret_end = now + rules.secret_end if rules.secret_end is not None else None
        self._families[name] = family
        return rules.life if rules.tells else None

    def renew_secret(self, name: str, secret: str) -> None:
        """Gives the client a new secret, that does not end."""
        family = self._families[name]
        family.secret, family.secret_end = secret, None

    def end(self, name: str) -> datetime | None:
        """Returns when the refresh token ends unless it is used."""
        return self._families[name].end()

    async def refresh(
        self, client: OAuthAuthentication, *, refresh_token: Secret, scopes: tuple[str, ...]
    ) -> TokenAnswer | TokenRefusal:
        now, name = self._now(), client.client_id
        await asyncio.sleep(0)
        self.requests[name] = self.requests.get(name, 0) + 1
        family = self._families[name]
        if self.down:
            return a_refusal("", status=503)
        is_over = family.secret_end is not None and now >= family.secret_end
        if is_over or client.client_secret.reveal() != family.secret:
            return a_refusal("invalid_client", status=401)
        end = family.end()
        if refresh_token.reveal() != family.token or (end is not None and now >= end):
            self.ends.setdefault(name, end or now)
            return a_refusal()
        if family.rules.idle is not None:
            left = family.last_use + family.rules.idle - now
            self.least_left[name] = min(left, self.least_left.get(name, left))
        family.last_use = now
        family.number += 1
        if family.rules.slides:
            family.life_from = now
        if family.rules.rotates:
            family.token = f"RT-{name}-{family.number}"
        told = None
        if family.rules.life is not None and family.rules.tells:
            told = family.life_from + family.rules.life - now
        return TokenAnswer(
            access_token=Secret(f"AT-{name}-{family.number}"),
            expires_in=timedelta(hours=1),
            refresh_token=Secret(family.token) if family.rules.rotates else None,
            refresh_token_expires_in=told,
        )


@dataclass(frozen=True, slots=True)
class Said:
    """One announcement: what, when, and how many days it said were left."""

    kind: ForecastKind
    day: float
    days_left: int


class LongLife:
    """
    Configurations that were consented to at NOW, two keeper processes, and a process that sends now and then.

    `run` lets days pass; *away*: while the keepers do not run; *down*: while no provider answers anything but 503;
    *mail_every*: how often something is sent with each configuration, None for never.
    """

    def __init__(self, *, away: Span = (0, 0), down: Span = (0, 0), mail_every: timedelta | None = None) -> None:
        self.world = World()
        self.world.clock.set(NOW)
        self.provider = RuledProvider(self.world.clock.now)
        self.world.server = self.provider
        self.said: dict[str, list[Said]] = {}
        self.died: dict[str, list[float]] = {}
        self._keepers = Process(self.world, seed=1), Process(self.world, seed=2)
        self._sender = Process(self.world, seed=3)
        self._away, self._down, self._mail_every = away, down, mail_every
        self._settings: dict[str, MailSettings] = {}
        self._next_mail = NOW

    @property
    def day(self) -> float:
        """Returns how many days have passed."""
        return (self.world.clock.now() - NOW) / DAY

    async def consented(self, name: str, settings: MailSettings, rules: Rules) -> None:
        """Stores an active configuration whose consent was given just now."""
        client = replace(client_of(settings), client_id=name)
        settings = replace(settings, authentication=client)
        token = f"RT-{name}-1"
        told = self.provider.consented(name, token, rules)
        await self.world.given(a_configuration(settings=settings, configuration_id=name))
        end = NOW + told if told is not None else None
        grant = a_grant_for(
            settings,
            configuration_id=name,
            refresh_token=Secret(token),
            refresh_token_expire_time=end,
            access_tokens=(),
        )
        async with self.world.uow() as work:
            await work.grants.save(grant, expected_generation=0)
            await work.commit()
        self._settings[name] = settings

    async def enter_secret(self, name: str, secret: str, expire_time: datetime | None) -> None:
        """Replaces the active settings' client secret by one that the provider has just made."""
        self.provider.renew_secret(name, secret)
        client = replace(
            client_of(self._settings[name]), client_secret=Secret(secret), client_secret_expire_time=expire_time
        )
        settings = replace(self._settings[name], authentication=client)
        async with self.world.uow() as work:
            stored = await work.configurations.find(TENANT, name)
            assert stored is not None
            assert stored.active is not None
            number = stored.last_revision + 1
            active = replace(stored.active, number=number, settings=settings)
            after = replace(stored, version=stored.version + 1, last_revision=number, active=active)
            await work.configurations.save(after, expected_version=stored.version)
            await work.commit()
        self._settings[name] = settings

    async def run(self, days: float, *, step: timedelta = STEP) -> None:
        """Lets time pass until so many days after NOW, and checks now and then that nothing is silent."""
        next_check = self.day
        while self.day < days:
            await self._pass_moment()
            if self.day >= next_check:
                next_check += 5
                await self.check_nothing_silent()
            self.world.clock.advance(step)
        await self.check_nothing_silent()

    async def check_nothing_silent(self) -> None:
        """Of each grant: dead in the store, told once, and shown by the configuration's health, or nothing of it."""
        for name in self._settings:
            is_dead = (await self.grant(name)).is_dead
            assert len(self.died.get(name, [])) == int(is_dead), name
            assert (await self.health(name) == pb.HEALTH_STATE_REAUTHORIZATION_REQUIRED) is is_dead, name

    async def health(self, name: str) -> pb.HealthState.ValueType:
        """Returns what GetConfiguration shows."""
        return render_health(await self.world.get_configuration(CALLER, name)).state

    async def grant(self, name: str) -> Grant:
        """Returns the grant as it is stored."""
        async with self.world.uow() as work:
            grant = await work.grants.find(GrantKey(TENANT, name, "grant-1"))
        assert grant is not None
        return grant

    def announcements(self, name: str, kind: ForecastKind) -> list[int]:
        """Returns how many days were left at each announcement, in the order of time."""
        return [said.days_left for said in self.said.get(name, []) if said.kind is kind]

    def all_said(self) -> Mapping[str, list[ForecastKind]]:
        """Returns what was announced of each configuration, in the order of time."""
        return {name: [each.kind for each in said] for name, said in self.said.items()}

    async def _pass_moment(self) -> None:
        self.provider.down = _within(self.day, self._down)
        told, dead = len(self.world.events.announced), len(self.world.events.died)
        if self._mail_every is not None and self.world.clock.now() >= self._next_mail:
            self._next_mail += self._mail_every
            await self._send()
        if not _within(self.day, self._away):
            await asyncio.gather(*(keeper.keep_grants() for keeper in self._keepers))
        for account, forecast, days_left in self.world.events.announced[told:]:
            said = Said(forecast.kind, self.day, days_left)
            self.said.setdefault(account.configuration_id, []).append(said)
        for account, _ in self.world.events.died[dead:]:
            self.died.setdefault(account.configuration_id, []).append(self.day)

    async def _send(self) -> None:
        for name, settings in self._settings.items():
            tokens = self._sender.sources.stored(TENANT, name, settings)
            assert tokens is not None
            with suppress(ProviderRefused):  # mail waits for a new consent then; the checks see whether that was told
                await tokens.token(rejected=None)
        await self._sender.fresh_tokens.drain(timedelta(seconds=5))


def _within(day: float, span: Span) -> bool:
    return span[0] <= day < span[1]
