"""The numbers that Prometheus reads."""

from __future__ import annotations

from datetime import timedelta

from prometheus_client.parser import text_string_to_metric_families

from domain.account import Account
from domain.data_center import Presence
from domain.delivery import DeliveryState
from domain.forecast import Forecast, ForecastKind
from domain.reasons import Reason
from service.metrics import Metrics
from tests.builders import NOW, a_delivery
from tests.consent_builders import a_token_failure

ACCOUNT, OTHER = Account("shop", "alerts"), Account("bank", "alerts")
END = "mailport_end_expected_timestamp_seconds"


def samples(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    """Returns the values of one metric by the values of its labels, in the order of their names."""
    text, _ = metrics.exposition("")
    families = text_string_to_metric_families(text.decode())
    found = [sample for family in families for sample in family.samples if sample.name == name]
    return {tuple(value for _, value in sorted(sample.labels.items())): sample.value for sample in found}


def a_forecast(kind: ForecastKind, *, days: int) -> Forecast:
    return Forecast(kind, NOW + timedelta(days=days), "It ends.", "Act.")


def test_given_a_new_process_when_read_then_successes_and_deaths_stand_at_zero() -> None:
    metrics = Metrics()

    assert samples(metrics, "mailport_token_refreshes_total") == {("REFRESHED",): 0}
    assert samples(metrics, "mailport_consents_total") == {("AUTHORIZED",): 0}
    assert samples(metrics, "mailport_grants_died_total") == {(): 0}
    assert samples(metrics, "mailport_deliveries_settled_total") == {("SENT",): 0, ("FAILED",): 0}
    assert samples(metrics, END) == {}


def test_given_refreshes_consents_and_deaths_when_read_then_counted_by_outcome() -> None:
    metrics = Metrics()

    for failure in (None, None, a_token_failure()):
        metrics.token_refreshed(failure)
    metrics.consent_ended(None)
    metrics.consent_ended(a_token_failure(reason=Reason.ACCOUNT_MISMATCH))
    metrics.grant_died()

    assert samples(metrics, "mailport_token_refreshes_total") == {("REFRESHED",): 2, ("REAUTH_REQUIRED",): 1}
    assert samples(metrics, "mailport_consents_total") == {("AUTHORIZED",): 1, ("ACCOUNT_MISMATCH",): 1}
    assert samples(metrics, "mailport_grants_died_total") == {(): 1}


def test_given_attempts_when_read_then_settled_deliveries_are_counted_apart() -> None:
    metrics = Metrics()

    metrics.delivery_attempted(a_delivery(state=DeliveryState.RETRYING))
    metrics.delivery_attempted(a_delivery(state=DeliveryState.SENT))
    metrics.delivery_settled(a_delivery(state=DeliveryState.EXPIRED))

    attempts = samples(metrics, "mailport_delivery_attempts_total")
    settled = samples(metrics, "mailport_deliveries_settled_total")
    assert attempts == {("RETRYING",): 1, ("SENT",): 1}
    assert settled == {("SENT",): 1, ("FAILED",): 0, ("EXPIRED",): 1}


def test_given_ends_when_they_come_and_go_then_the_series_do_too() -> None:
    metrics = Metrics()
    secret, idle = (
        a_forecast(ForecastKind.CLIENT_SECRET_EXPIRING, days=5),
        a_forecast(ForecastKind.GRANT_IDLE, days=90),
    )

    metrics.ends_foreseen(ACCOUNT, [secret, idle])
    metrics.ends_foreseen(OTHER, [idle])
    both = samples(metrics, END)
    metrics.ends_foreseen(ACCOUNT, [idle])
    one = samples(metrics, END)
    metrics.ends_foreseen(ACCOUNT, [])
    none = samples(metrics, END)

    others = {("alerts", "GRANT_IDLE", "bank"): idle.expected_time.timestamp()}
    mine = {("alerts", "GRANT_IDLE", "shop"): idle.expected_time.timestamp()}
    expiring = {("alerts", "CLIENT_SECRET_EXPIRING", "shop"): secret.expected_time.timestamp()}
    assert both == others | mine | expiring
    assert one == others | mine
    assert none == others


def test_given_a_configuration_that_is_gone_when_all_were_gone_through_then_its_series_go() -> None:
    metrics = Metrics()
    for account in (ACCOUNT, OTHER):
        metrics.ends_foreseen(account, [a_forecast(ForecastKind.GRANT_IDLE, days=90)])

    metrics.only_accounts([OTHER, Account("shop", "new")])

    assert set(samples(metrics, END)) == {("alerts", "GRANT_IDLE", "bank")}


def test_given_two_processes_parts_when_counted_then_each_has_numbers_of_its_own() -> None:
    one, other = Metrics(), Metrics()

    one.grant_died()

    assert samples(other, "mailport_grants_died_total") == {(): 0}


def test_given_workers_when_read_then_each_site_stands_with_its_own_and_an_empty_one_at_zero() -> None:
    metrics = Metrics()
    before = samples(metrics, "mailport_workers_live")

    metrics.workers_seen([Presence("gone-9", 1)])
    metrics.workers_seen([Presence("eu-1", 2), Presence("us-1", 0), Presence("", 1)])

    assert before == {}
    assert samples(metrics, "mailport_workers_live") == {("eu-1",): 2, ("us-1",): 0, ("",): 1}


def test_given_watched_folders_when_read_then_their_number_stands_and_breaks_and_ends_are_counted_by_reason() -> None:
    metrics = Metrics()

    metrics.folders_followed(standing=3, broken=2)
    metrics.folders_followed(standing=4, broken=1)
    metrics.watch_broke(Reason.CONNECTION_LOST)
    metrics.watch_broke(Reason.CONNECTION_LOST)
    metrics.watch_ended(Reason.CURSOR_INVALID)

    assert samples(metrics, "mailport_mailbox_folders_followed") == {("STANDING",): 4, ("BROKEN",): 1}
    assert samples(metrics, "mailport_mailbox_watch_breaks_total") == {("CONNECTION_LOST",): 2}
    assert samples(metrics, "mailport_mailbox_watch_ends_total") == {("CURSOR_INVALID",): 1}
