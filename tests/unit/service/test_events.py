"""Events as a person reads them: one line each, and nothing in it that must stay inside."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from domain.account import Account
from domain.delivery import DeliveryState
from domain.forecast import Forecast, ForecastKind
from domain.reasons import Reason
from service.events import LoggedEvents
from service.metrics import Metrics
from service.usecases.events import Events
from tests.builders import NOW, a_delivery
from tests.consent_builders import a_token_failure

ACCOUNT = Account("shop", "alerts")
NAMES = {"tenant": "shop", "configuration_id": "alerts"}
FORECAST = Forecast(ForecastKind.CLIENT_SECRET_EXPIRING, NOW + timedelta(days=7), "It ends.", "Act.", is_certain=False)
FAILURE = a_token_failure(cause="robot@example.com has revoked it.", provider_code="400 robot@example.com")
WHY = {"reason": "REAUTH_REQUIRED", "stage": "TOKEN"}

Tell = Callable[[Events], None]


@pytest.mark.parametrize(
    ("tell", "expected"),
    [
        (lambda events: events.watch_stands(ACCOUNT), {"event": "watch_stands", "level": "INFO", **NAMES}),
        (
            lambda events: events.watch_broke(ACCOUNT, Reason.CONNECTION_LOST),
            {"event": "watch_broke", "level": "WARNING", "reason": "CONNECTION_LOST", **NAMES},
        ),
        (
            lambda events: events.watch_ended(ACCOUNT, Reason.CURSOR_INVALID),
            {"event": "watch_ended", "level": "WARNING", "reason": "CURSOR_INVALID", **NAMES},
        ),
        (
            lambda events: events.end_announced(ACCOUNT, FORECAST, days_left=7),
            {
                "event": "end_announced",
                "level": "WARNING",
                "reason": "CLIENT_SECRET_EXPIRING",
                "expected_time": FORECAST.expected_time.isoformat(),
                "days_left": 7,
                "is_certain": False,
                "words": "It ends.",
                "remedy": "Act.",
            },
        ),
        (lambda events: events.token_refreshed(ACCOUNT, None), {"event": "token_refreshed", "level": "INFO"}),
        (
            lambda events: events.token_refreshed(ACCOUNT, FAILURE),
            {"event": "token_refresh_failed", "level": "WARNING", **WHY},
        ),
        (lambda events: events.grant_died(ACCOUNT, FAILURE), {"event": "grant_died", "level": "ERROR", **WHY}),
        (lambda events: events.consent_ended(ACCOUNT, None), {"event": "consent_ended", "level": "INFO"}),
        (lambda events: events.consent_ended(ACCOUNT, FAILURE), {"event": "consent_ended", "level": "INFO", **WHY}),
    ],
)
def test_given_an_event_when_told_then_one_line_names_the_configuration_and_no_address(
    caplog: pytest.LogCaptureFixture, tell: Tell, expected: dict[str, Any]
) -> None:
    with caplog.at_level(logging.INFO):
        tell(LoggedEvents(metrics=Metrics()))

    (record,) = caplog.records
    fields = vars(record)
    assert (record.msg, record.levelname) == (expected.pop("event"), expected.pop("level"))
    assert {name: fields[name] for name in NAMES | expected} == NAMES | expected
    assert "@" not in json.dumps({name: str(value) for name, value in fields.items()})


def test_given_events_when_told_then_all_are_counted() -> None:
    metrics = Metrics()
    events: Events = LoggedEvents(metrics=metrics)

    events.token_refreshed(ACCOUNT, FAILURE)
    events.grant_died(ACCOUNT, FAILURE)
    events.consent_ended(ACCOUNT, FAILURE)
    events.delivery_attempted(a_delivery(state=DeliveryState.SENT))
    events.delivery_settled(a_delivery(state=DeliveryState.EXPIRED))
    events.ends_foreseen(Account("shop", "gone"), [FORECAST])
    events.ends_foreseen(ACCOUNT, [FORECAST])
    events.only_accounts([ACCOUNT])

    text = metrics.exposition("")[0].decode()
    for sample in (
        'mailport_token_refreshes_total{outcome="REAUTH_REQUIRED"} 1.0',
        "mailport_grants_died_total 1.0",
        'mailport_consents_total{outcome="REAUTH_REQUIRED"} 1.0',
        'mailport_delivery_attempts_total{state="SENT"} 1.0',
        'mailport_deliveries_settled_total{state="SENT"} 1.0',
        'mailport_deliveries_settled_total{state="EXPIRED"} 1.0',
        'configuration_id="alerts",reason="CLIENT_SECRET_EXPIRING"',
    ):
        assert sample in text
    assert '"gone"' not in text
    assert "@" not in text


def test_given_a_site_without_worker_when_told_then_one_warning_names_it_and_its_return_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    events = LoggedEvents(metrics=Metrics())

    with caplog.at_level(logging.INFO):
        events.worker_missing("eu-1")
        events.worker_back("eu-1")

    told = [(record.levelname, record.message, vars(record)["data_center"]) for record in caplog.records]
    assert told == [("WARNING", "worker_missing", "eu-1"), ("INFO", "worker_back", "eu-1")]
