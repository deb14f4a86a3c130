"""What Prometheus reads: counters of this process since its start, and the ends it foresees."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from domain.account import Account
from domain.data_center import Presence
from domain.delivery import Delivery, DeliveryState
from domain.failures.failure import Failure
from domain.forecast import Forecast
from domain.reasons import Reason

_REFRESHED: Final = "REFRESHED"
_AUTHORIZED: Final = "AUTHORIZED"


class Metrics:
    """
    The metrics of one process, in a registry of their own.

    Labels hold words of the API, tenants and configuration ids: no secret, no address. What bounds the number of
    series: an outcome is a word or a `domain.reasons.Reason`, a state a `DeliveryState`; only the ends are told by
    configuration, four series each at most, and those of a configuration that is gone are dropped.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._refreshes = Counter(
            "mailport_token_refreshes",
            "Refreshes of access tokens by how they ended: REFRESHED, or the reason of the failure.",
            ["outcome"],
            registry=self._registry,
        )
        self._consents = Counter(
            "mailport_consents",
            "Consent sessions that came back, by how they ended: AUTHORIZED, or the reason of the failure.",
            ["outcome"],
            registry=self._registry,
        )
        self._deaths = Counter(
            "mailport_grants_died",
            "Consents that the provider ended; only a new consent helps.",
            registry=self._registry,
        )
        self._attempts = Counter(
            "mailport_delivery_attempts",
            "Attempts to deliver, by the delivery's state after them.",
            ["state"],
            registry=self._registry,
        )
        self._settled = Counter(
            "mailport_deliveries_settled",
            "Deliveries that came to an end, or to a state that only a person takes them out of, by that state.",
            ["state"],
            registry=self._registry,
        )
        self._breaks = Counter(
            "mailport_mailbox_watch_breaks",
            "Connections following a folder of a mailbox that ended and were tried anew, by the reason.",
            ["reason"],
            registry=self._registry,
        )
        self._watch_ends = Counter(
            "mailport_mailbox_watch_ends",
            "Folders that could not be followed any longer, so that their watches ended, by the reason.",
            ["reason"],
            registry=self._registry,
        )
        self._followed = Gauge(
            "mailport_mailbox_folders_followed",
            "Folders of mailboxes that are watched through this process, by how it stands: STANDING or BROKEN.",
            ["state"],
            registry=self._registry,
        )
        self.folders_followed(standing=0, broken=0)
        self._ends = _Ends()
        self._registry.register(self._ends)
        self._workers = _Workers()
        self._registry.register(self._workers)
        # A counter that is there from the start lets a rate see the first event.
        self._refreshes.labels(_REFRESHED)
        self._consents.labels(_AUTHORIZED)
        for state in (DeliveryState.SENT, DeliveryState.FAILED):
            self._settled.labels(state.value)

    def token_refreshed(self, failure: Failure | None) -> None:
        """Counts a request to refresh tokens; None: it brought some."""
        self._refreshes.labels(_outcome(failure, _REFRESHED)).inc()

    def consent_ended(self, failure: Failure | None) -> None:
        """Counts a consent session that came back; None: authorized."""
        self._consents.labels(_outcome(failure, _AUTHORIZED)).inc()

    def grant_died(self) -> None:
        """Counts a grant that became REAUTHORIZATION_REQUIRED."""
        self._deaths.inc()

    def delivery_attempted(self, after: Delivery) -> None:
        """Counts an attempt, and the delivery when the attempt settled it."""
        self._attempts.labels(after.state.value).inc()
        if after.is_settled:
            self.delivery_settled(after)

    def delivery_settled(self, after: Delivery) -> None:
        """Counts a delivery that was settled."""
        self._settled.labels(after.state.value).inc()

    def watch_broke(self, reason: Reason) -> None:
        """Counts a connection that followed a folder and ended."""
        self._breaks.labels(reason.value).inc()

    def watch_ended(self, reason: Reason) -> None:
        """Counts a folder that is followed no more since it cannot be."""
        self._watch_ends.labels(reason.value).inc()

    def folders_followed(self, *, standing: int, broken: int) -> None:
        """Shows these numbers from now on."""
        self._followed.labels("STANDING").set(standing)
        self._followed.labels("BROKEN").set(broken)

    def ends_foreseen(self, account: Account, found: Sequence[Forecast]) -> None:
        """Shows these ends of a configuration from now on, and no others; none: nothing is shown of it."""
        self._ends.put(account, found)

    def only_accounts(self, accounts: Collection[Account]) -> None:
        """Drops the ends of all configurations but *accounts*."""
        self._ends.keep(frozenset(accounts))

    def workers_seen(self, present: Sequence[Presence]) -> None:
        """Shows these sites with their live workers from now on, and no others."""
        self._workers.present = tuple(present)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """Returns all of it as text and its media type: Prometheus's format, or OpenMetrics where *accept* asks so."""
        encode, media_type = choose_encoder(accept)
        return encode(self._registry), media_type


class _Ends(Collector):
    """A gauge whose series come and go together with what is foreseen."""

    def __init__(self) -> None:
        self._found: dict[Account, tuple[Forecast, ...]] = {}

    def put(self, account: Account, found: Sequence[Forecast]) -> None:
        if found:
            self._found[account] = tuple(found)
        else:
            self._found.pop(account, None)

    def keep(self, accounts: frozenset[Account]) -> None:
        self._found = {account: found for account, found in self._found.items() if account in accounts}

    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "mailport_end_expected_timestamp_seconds",
            "When sending will end if nobody acts, in Unix time, by the reason: a value of ErrorReason.",
            labels=["tenant", "configuration_id", "reason"],
        )
        # A copy, since another thread may collect while the loop goes on.
        for account, found in list(self._found.items()):
            for each in found:
                labels = [account.tenant, account.configuration_id, each.kind.value]
                family.add_metric(labels, each.expected_time.timestamp())
        yield family


class _Workers(Collector):
    """A gauge with a series for each site that is known."""

    def __init__(self) -> None:
        self.present: tuple[Presence, ...] = ()

    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "mailport_workers_live",
            "Workers of all processes on this database that live, by their data center; empty: at no named one.",
            labels=["data_center"],
        )
        for each in self.present:
            family.add_metric([each.data_center], each.live)
        yield family


def _outcome(failure: Failure | None, success: str) -> str:
    return success if failure is None else failure.reason.value
