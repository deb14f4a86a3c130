"""Events as log lines and metrics."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence

from domain.account import Account
from domain.data_center import Presence
from domain.delivery import Delivery
from domain.failures.failure import Failure
from domain.forecast import Forecast
from domain.reasons import Reason
from service.logs import (
    CONFIGURATION_ID,
    CONSENT_ENDED,
    DATA_CENTER,
    DAYS_LEFT,
    END_ANNOUNCED,
    EXPECTED_TIME,
    GRANT_DIED,
    IS_CERTAIN,
    REASON,
    REMEDY,
    STAGE,
    TENANT,
    TOKEN_REFRESH_FAILED,
    TOKEN_REFRESHED,
    WATCH_BROKE,
    WATCH_ENDED,
    WATCH_STANDS,
    WORDS,
    WORKER_BACK,
    WORKER_MISSING,
)
from service.metrics import Metrics

_logger = logging.getLogger(__name__)


class LoggedEvents:
    """A `service.usecases.events.Events`: one line each where a person wants to read of it, and a number of all."""

    def __init__(self, *, metrics: Metrics) -> None:
        self._metrics = metrics

    def ends_foreseen(self, account: Account, found: Sequence[Forecast]) -> None:
        """Shows them in the metrics alone."""
        self._metrics.ends_foreseen(account, found)

    def only_accounts(self, accounts: Collection[Account]) -> None:
        """Shows these in the metrics alone."""
        self._metrics.only_accounts(accounts)

    def end_announced(self, account: Account, forecast: Forecast, *, days_left: int) -> None:
        """Logs a warning."""
        told = {
            REASON: forecast.kind.value,
            EXPECTED_TIME: forecast.expected_time.isoformat(),
            DAYS_LEFT: days_left,
            IS_CERTAIN: forecast.is_certain,
            WORDS: forecast.message,
            REMEDY: forecast.remedy,
        }
        _logger.warning(END_ANNOUNCED, extra=_names(account) | told)

    def token_refreshed(self, account: Account, failure: Failure | None) -> None:
        """Counts it; logs a warning when it failed."""
        self._metrics.token_refreshed(failure)
        if failure is None:
            _logger.info(TOKEN_REFRESHED, extra=_names(account))
        else:
            _logger.warning(TOKEN_REFRESH_FAILED, extra=_names(account) | _why(failure))

    def grant_died(self, account: Account, failure: Failure) -> None:
        """Counts it and logs an error: mail of this configuration waits for a person."""
        self._metrics.grant_died()
        _logger.error(GRANT_DIED, extra=_names(account) | _why(failure))

    def consent_ended(self, account: Account, failure: Failure | None) -> None:
        """Counts and logs it; that a user refused is no trouble of the operator's."""
        self._metrics.consent_ended(failure)
        _logger.info(CONSENT_ENDED, extra=_names(account) | (_why(failure) if failure is not None else {}))

    def delivery_attempted(self, after: Delivery) -> None:
        """Counts it; the worker has logged it, with what it knows of the attempt."""
        self._metrics.delivery_attempted(after)

    def delivery_settled(self, after: Delivery) -> None:
        """Counts it."""
        self._metrics.delivery_settled(after)

    def watch_stands(self, account: Account) -> None:
        """Logs it."""
        _logger.info(WATCH_STANDS, extra=_names(account))

    def watch_broke(self, account: Account, reason: Reason) -> None:
        """Counts it and logs a warning."""
        self._metrics.watch_broke(reason)
        _logger.warning(WATCH_BROKE, extra=_names(account) | {REASON: reason.value})

    def watch_ended(self, account: Account, reason: Reason) -> None:
        """Counts it and logs a warning: whoever watched has been told, and may come again."""
        self._metrics.watch_ended(reason)
        _logger.warning(WATCH_ENDED, extra=_names(account) | {REASON: reason.value})

    def folders_followed(self, *, standing: int, broken: int) -> None:
        """Shows them in the metrics alone."""
        self._metrics.folders_followed(standing=standing, broken=broken)

    def workers_seen(self, present: Sequence[Presence]) -> None:
        """Shows them in the metrics alone."""
        self._metrics.workers_seen(present)

    def worker_missing(self, data_center: str) -> None:
        """Logs a warning."""
        _logger.warning(WORKER_MISSING, extra={DATA_CENTER: data_center})

    def worker_back(self, data_center: str) -> None:
        """Logs it."""
        _logger.info(WORKER_BACK, extra={DATA_CENTER: data_center})


def _names(account: Account) -> dict[str, object]:
    return {TENANT: account.tenant, CONFIGURATION_ID: account.configuration_id}


def _why(failure: Failure) -> dict[str, object]:
    """Returns words of ours alone: what the provider wrote may name an account."""
    return {REASON: failure.reason.value, STAGE: failure.stage.value}
