"""Whether a configuration can send, and what may end that."""

from __future__ import annotations

from typing import Final

from domain.configuration import RevisionState
from domain.failures.failure import Failure, FailureKind, Stage
from domain.forecast import Forecast
from domain.reasons import Reason
from mailport.v1 import configuration_pb2 as pb
from service.rpc.render.failures import render_failure
from service.rpc.render.settings import render_limits
from service.rpc.render.values import timestamp
from service.rpc.render.warnings import render_revision_warnings
from service.usecases.views import AllowanceView, ConfigurationView

_NO_CONSENT: Final = Failure(
    reason=Reason.NEEDS_AUTHORIZATION,
    kind=FailureKind.REAUTHORIZE,
    stage=Stage.TOKEN,
    cause="The active settings sign in with OAuth, and there is no consent that covers them.",
    remedy="Call Authorize and let the owner of the account consent.",
)


def render_health(view: ConfigurationView) -> pb.ConfigurationHealth:
    """Judges the active revision; the warnings are its own, or the draft's while nothing is active."""
    state, failure = _judge(view)
    shown = view.active or view.draft
    return pb.ConfigurationHealth(
        state=state,
        warnings=render_revision_warnings(shown) if shown is not None else (),
        forecasts=[_forecast(each) for each in view.forecasts],
        failure=render_failure(failure) if failure is not None else None,
        allowance=_allowance(view.allowance) if view.allowance is not None else None,
    )


def _allowance(view: AllowanceView) -> pb.SendingAllowance:
    return pb.SendingAllowance(
        limits=render_limits(view.limits),
        percent=max(1, int(view.share * 100)),
        wait_time=timestamp(view.wait_until),
        failure=render_failure(view.failure) if view.failure is not None else None,
    )


def _forecast(forecast: Forecast) -> pb.Forecast:
    return pb.Forecast(
        reason=forecast.kind.value,
        expected_time=timestamp(forecast.expected_time),
        message=forecast.message,
        remedy=forecast.remedy,
    )


def _judge(view: ConfigurationView) -> tuple[pb.HealthState.ValueType, Failure | None]:
    active, pause = view.active, view.pause
    if active is None:
        return pb.HEALTH_STATE_NOT_CONFIGURED, None
    if active.unreadable:
        return pb.HEALTH_STATE_MISCONFIGURED, _unreadable(active.unreadable)
    if active.state is RevisionState.NEEDS_AUTHORIZATION:
        why = active.grant.grant.failure if active.grant is not None else None
        return pb.HEALTH_STATE_REAUTHORIZATION_REQUIRED, why or _NO_CONSENT
    troubled = active.grant.grant.failure if active.grant is not None else None
    if troubled is not None and troubled.kind is FailureKind.MISCONFIGURED:
        return pb.HEALTH_STATE_MISCONFIGURED, troubled
    if pause is not None:
        return pb.HEALTH_STATE_MISCONFIGURED, pause.failure
    if view.nobody_there is not None:
        return pb.HEALTH_STATE_MISCONFIGURED, view.nobody_there
    is_lowered = view.allowance is not None and view.allowance.failure is not None
    if view.risks or troubled is not None or is_lowered:
        return pb.HEALTH_STATE_AT_RISK, None
    return pb.HEALTH_STATE_HEALTHY, None


def _unreadable(fields: tuple[str, ...]) -> Failure:
    return Failure(
        reason=Reason.SECRET_UNREADABLE,
        kind=FailureKind.MISCONFIGURED,
        stage=Stage.AUTH,
        cause=f"What is stored in {' and '.join(fields)} cannot be opened with the keys that mailport has.",
        remedy="Enter the secret again with Configure and prove it, or bring back the key that it was sealed with.",
    )
