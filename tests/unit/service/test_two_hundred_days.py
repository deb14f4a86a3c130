"""Two hundred days: no grant ends in silence, what can be known is said in time and once, and none is left to lapse."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from domain.forecast import ForecastKind
from domain.providers.preset import OAuthProvider
from domain.settings.model import MailSettings
from mailport.v1 import configuration_pb2 as pb
from tests.builders import NOW
from tests.unit.service.long_life import DAY, STEP, LongLife, Rules, Span
from tests.unit.service.processes import oauth_settings
from tests.unit.service.world import CALLER

GOOGLE: Final = oauth_settings(provider=OAuthProvider.GOOGLE)
MICROSOFT: Final = oauth_settings(provider=OAuthProvider.MICROSOFT)
CUSTOM: Final = oauth_settings()
IDLE, EXPIRING, SECRET, TEST_MODE = (
    ForecastKind.GRANT_IDLE,
    ForecastKind.GRANT_EXPIRING,
    ForecastKind.CLIENT_SECRET_EXPIRING,
    ForecastKind.GOOGLE_TEST_MODE,
)
ALL: Final = 200
THREE_WEEKS: Final = (60.0, 81.0)
TEN_MINUTES: Final = timedelta(minutes=10)
LIVES: Final[dict[str, tuple[MailSettings, Rules]]] = {
    "google": (GOOGLE, Rules(idle=180 * DAY)),
    "microsoft": (MICROSOFT, Rules(idle=90 * DAY, rotates=True)),
    "custom-idle-30": (CUSTOM, Rules(idle=30 * DAY, rotates=True)),
    "custom-sliding-30": (CUSTOM, Rules(life=30 * DAY, slides=True, tells=True, rotates=True)),
    "custom-for-ever": (CUSTOM, Rules()),
}
ENDS: Final[dict[str, tuple[MailSettings, Rules]]] = {
    "told-120": (CUSTOM, Rules(life=120 * DAY, tells=True)),
    "told-150-rotating": (CUSTOM, Rules(life=150 * DAY, tells=True, rotates=True, idle=30 * DAY)),
    "untold-50": (CUSTOM, Rules(life=50 * DAY)),
    "test-mode-told": (GOOGLE, Rules(life=7 * DAY, tells=True)),
    "test-mode-untold": (GOOGLE, Rules(life=7 * DAY)),
}


async def begun(
    *groups: dict[str, tuple[MailSettings, Rules]], away: Span = (0, 0), mail_every: timedelta | None = None
) -> LongLife:
    life = LongLife(away=away, mail_every=mail_every)
    for group in groups:
        for name, (used, rules) in group.items():
            await life.consented(name, used, rules)
    return life


@pytest.mark.parametrize(
    ("mail_every", "away"),
    [(None, (0, 0)), (None, THREE_WEEKS), (3 * DAY, (0, 0)), (40 * DAY, THREE_WEEKS)],
    ids=["no mail", "no mail, keepers away for three weeks", "mail", "little mail, keepers away for three weeks"],
)
async def test_given_grants_that_only_idling_ends_when_200_days_pass_then_all_live_and_none_came_near_its_limit(
    mail_every: timedelta | None, away: Span
) -> None:
    life = await begun(LIVES, away=away, mail_every=mail_every)

    await life.run(ALL)

    assert life.died == {}
    assert life.provider.ends == {}
    # The first answer said 30 days; that each use puts them off again is no news.
    assert life.all_said() == {"google": [TEST_MODE, TEST_MODE], "custom-sliding-30": [EXPIRING]}
    idle = {name: rules.idle for name, (_, rules) in LIVES.items() if rules.idle is not None}
    longest = timedelta(days=7) + STEP + timedelta(days=away[1] - away[0])
    longest_idling = {name: limit - life.provider.least_left[name] for name, limit in idle.items()}
    assert all(span <= longest for span in longest_idling.values()), longest_idling


@pytest.mark.parametrize("mail_every", [None, 3 * DAY], ids=["no mail", "some mail"])
async def test_given_grants_that_end_when_200_days_pass_then_each_end_is_told_and_was_announced_where_it_was_known(
    mail_every: timedelta | None,
) -> None:
    life = await begun(ENDS, mail_every=mail_every)

    await life.run(ALL)

    assert life.died.keys() == ENDS.keys()
    assert life.announcements("told-120", EXPIRING) == [30, 14, 7, 1]
    assert life.announcements("told-150-rotating", EXPIRING) == [30, 14, 7, 1]
    assert life.announcements("test-mode-told", TEST_MODE) == [7, 1]
    assert life.announcements("test-mode-untold", TEST_MODE) == [7, 1]
    assert "untold-50" not in life.said
    for name in ("test-mode-told", "test-mode-untold"):
        assert life.said[name][0].day == 0
    for name in ("told-120", "told-150-rotating"):
        assert life.died[name][0] - life.said[name][0].day >= 7
    late = {name: life.died[name][0] - (life.provider.ends[name] - NOW) / DAY for name in ENDS}
    assert all(0 <= days <= 7 + STEP / DAY for days in late.values()), late  # the keepers ask once a week at least
    assert all(days <= STEP / DAY for name, days in late.items() if ENDS[name][1].tells), late


async def test_given_a_dead_grant_when_the_days_pass_then_its_provider_is_not_asked_again() -> None:
    life = await begun({"untold-50": ENDS["untold-50"]}, mail_every=DAY)
    await life.run(60)
    asked = life.provider.requests["untold-50"]

    await life.run(ALL)

    assert life.provider.requests["untold-50"] == asked


@pytest.mark.parametrize("name", ["test-mode-told", "test-mode-untold"])
async def test_given_googles_test_mode_when_kept_every_ten_minutes_then_said_at_its_start_and_its_end_is_told(
    name: str,
) -> None:
    life = await begun({name: ENDS[name]})

    await life.run(9, step=TEN_MINUTES)

    assert [(said.days_left, round(said.day, 1)) for said in life.said[name]] == [(7, 0), (1, 6)]
    (died,) = life.died[name]
    assert 7 <= died <= 7.05
    failure = (await life.grant(name)).failure
    assert failure is not None
    assert "test mode" in failure.remedy


async def test_given_a_google_grant_that_outlives_test_mode_when_a_day_more_has_passed_then_the_suspicion_is_gone() -> (
    None
):
    life = await begun({"google": LIVES["google"]})

    await life.run(9)
    view = await life.world.get_configuration(CALLER, "google")

    assert [forecast.kind for forecast in view.forecasts] == [IDLE]
    assert life.died == {}


async def test_given_a_client_secret_with_a_date_when_nobody_acts_then_it_and_what_follows_is_said() -> None:
    life = LongLife()
    dated = oauth_settings(provider=OAuthProvider.MICROSOFT, client_secret_expire_time=NOW + 60 * DAY)
    await life.consented("ms", dated, Rules(idle=90 * DAY, rotates=True, secret_end=60 * DAY))

    await life.run(160)
    lives_still = life.died == {}
    await life.enter_secret("ms", "too late", None)
    await life.run(170)

    assert life.announcements("ms", SECRET) == [30, 14, 7, 1]
    assert life.announcements("ms", IDLE) == [30, 14, 7, 1]  # nothing can use the grant, so it lapses: known and said
    assert lives_still  # nobody has said that it is dead: a client's fault kills no grant
    (died,) = life.died["ms"]
    assert 160 <= died <= 160 + 2 * STEP / DAY


async def test_given_a_client_secret_with_a_date_when_it_is_replaced_in_time_then_no_more_is_said_and_all_goes_on() -> (
    None
):
    life = LongLife()
    dated = oauth_settings(provider=OAuthProvider.MICROSOFT, client_secret_expire_time=NOW + 60 * DAY)
    await life.consented("ms", dated, Rules(idle=90 * DAY, rotates=True, secret_end=60 * DAY))

    await life.run(50)
    await life.enter_secret("ms", "a new one", NOW + 190 * DAY)
    await life.run(ALL)

    assert life.announcements("ms", SECRET) == [30, 14, 30, 14, 7, 1]
    assert life.died == {}
    assert await life.health("ms") != pb.HEALTH_STATE_REAUTHORIZATION_REQUIRED


async def test_given_a_provider_that_is_down_for_months_when_the_idle_limit_comes_near_then_said_and_it_lives_on() -> (
    None
):
    life = LongLife(down=(10, 92))
    await life.consented("ms", *LIVES["microsoft"])

    await life.run(ALL)

    assert life.announcements("ms", IDLE) == [30, 14, 7]
    assert (life.died, life.provider.ends) == ({}, {})
    assert await life.health("ms") == pb.HEALTH_STATE_HEALTHY


async def test_given_keepers_away_beyond_the_limit_when_they_are_back_then_the_end_is_told_at_once() -> None:
    life = LongLife(away=(20, 130))
    await life.consented("ms", *LIVES["microsoft"])
    await life.consented("google", *LIVES["google"])

    await life.run(ALL)

    assert life.died == {"ms": [130]}
    assert await life.health("google") == pb.HEALTH_STATE_HEALTHY


async def test_given_keepers_back_just_before_the_limit_when_they_refresh_then_nothing_is_announced_in_vain() -> None:
    life = LongLife(away=(8, 92))
    await life.consented("ms", *LIVES["microsoft"])

    await life.run(120)

    assert (life.died, life.said) == ({}, {})


async def test_given_keepers_away_over_a_threshold_when_they_are_back_then_the_nearest_one_is_said_and_none_twice() -> (
    None
):
    life = LongLife(away=(85, 108))  # over the 30 and the 14 days of an end on day 120
    await life.consented("told-120", *ENDS["told-120"])

    await life.run(ALL)

    assert life.announcements("told-120", EXPIRING) == [12, 7, 1]


@given(
    provider=st.sampled_from([GOOGLE, MICROSOFT, CUSTOM]),
    idle=st.none() | st.integers(min_value=30, max_value=120),
    life_days=st.none() | st.integers(min_value=15, max_value=190),
    slides=st.booleans(),
    tells=st.booleans(),
    rotates=st.booleans(),
    mail_days=st.none() | st.integers(min_value=1, max_value=60),
    away_from=st.integers(min_value=1, max_value=150),
    away_for=st.integers(min_value=0, max_value=20),
)
@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow], deadline=None)
async def test_given_whatever_rules_when_200_days_pass_then_no_end_is_silent_and_no_known_one_unannounced(
    provider: MailSettings,
    idle: int | None,
    life_days: int | None,
    slides: bool,
    tells: bool,
    rotates: bool,
    mail_days: int | None,
    away_from: int,
    away_for: int,
) -> None:
    assume(not (slides and life_days is not None and life_days < 30))  # else an outage may well be the end of it
    rules = Rules(
        idle=idle * DAY if idle else None,
        life=life_days * DAY if life_days else None,
        slides=slides,
        tells=tells,
        rotates=rotates,
    )
    life = LongLife(
        away=(away_from, away_from + away_for), mail_every=mail_days * DAY if mail_days is not None else None
    )
    await life.consented("any", provider, rules)

    await life.run(ALL)  # and checks that what is dead was told, once, and is shown

    said = life.said.get("any", [])
    is_fixed = life_days is not None and not slides
    assert ("any" in life.died) is is_fixed
    if is_fixed and tells:
        ends = [each for each in said if each.kind is EXPIRING]
        assert [each.days_left for each in ends] == sorted({each.days_left for each in ends}, reverse=True)
        assert len(ends) <= 4
        assert life.died["any"][0] - ends[0].day >= 7
    assert not any(each.kind is IDLE for each in said)
