"""Answers of the API for the tests of the command line: valid by default."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from mailport.v1 import configuration_pb2, delivery_pb2, failure_pb2

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def at(time: datetime = NOON) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp


def lasting(span: timedelta) -> Duration:
    duration = Duration()
    duration.FromTimedelta(span)
    return duration


def a_revision(number: int = 1, **changes: object) -> configuration_pb2.Revision:
    values: dict[str, object] = {
        "number": number,
        "state": configuration_pb2.REVISION_STATE_READY_TO_VALIDATE,
        "settings": configuration_pb2.Settings(
            from_address="alerts@example.com",
            from_name="Alerts",
            smtp=configuration_pb2.SmtpTransport(
                host="smtp.example.com", port=587, security=configuration_pb2.CONNECTION_SECURITY_STARTTLS
            ),
            basic=configuration_pb2.BasicAuthentication(username="robot@example.com", password_set=True),
        ),
        "create_time": at(),
    }
    return configuration_pb2.Revision(**(values | changes))  # type: ignore[arg-type]


def a_warning() -> configuration_pb2.SettingsWarning:
    return configuration_pb2.SettingsWarning(
        field="settings.smtp.minimum_tls_version",
        reason="TLS_VERSION_OLD",
        message="TLS 1.0 is deprecated.",
        remedy="Use 1.2 or higher.",
    )


def a_configuration(**changes: object) -> configuration_pb2.Configuration:
    values: dict[str, object] = {
        "configuration_id": "alerts",
        "etag": "W7",
        "draft": a_revision(),
        "health": configuration_pb2.ConfigurationHealth(state=configuration_pb2.HEALTH_STATE_NOT_CONFIGURED),
        "update_time": at(),
    }
    return configuration_pb2.Configuration(**(values | changes))  # type: ignore[arg-type]


def a_grant() -> configuration_pb2.Grant:
    return configuration_pb2.Grant(
        state=configuration_pb2.GRANT_STATE_FRESH,
        account="robot@example.com",
        granted_scopes=["openid", "https://mail.example.com/"],
        authorize_time=at(),
        access_token_expire_time=at(NOON + timedelta(hours=1)),
    )


def a_session(
    state: configuration_pb2.ConsentState.ValueType = configuration_pb2.CONSENT_STATE_PENDING,
    *,
    failure: failure_pb2.Failure | None = None,
    expire_time: datetime = NOON + timedelta(minutes=10),
) -> configuration_pb2.ConsentSession:
    return configuration_pb2.ConsentSession(
        state=state,
        create_time=at(),
        expire_time=at(expire_time),
        redirect_url="http://127.0.0.1:8080/oauth/callback",
        failure=failure,
    )


def a_denial() -> failure_pb2.Failure:
    return failure_pb2.Failure(
        reason="AUTHORIZATION_DENIED",
        kind=failure_pb2.FAILURE_KIND_REAUTHORIZE,
        stage=failure_pb2.FAILURE_STAGE_CONSENT,
        provider_code="access_denied",
        cause="The user did not consent.",
        remedy="Authorize again and consent.",
    )


def a_trace(*, succeeded: bool = True) -> failure_pb2.Trace:
    tls = failure_pb2.TlsSession(
        version="TLSv1.3",
        cipher="TLS_AES_256_GCM_SHA384",
        certificate_subject="smtp.example.com",
        certificate_issuer="Example CA",
        certificate_expire_time=at(),
    )
    return failure_pb2.Trace(
        start_time=at(),
        steps=[
            failure_pb2.TraceStep(
                stage=failure_pb2.FAILURE_STAGE_CONNECT,
                succeeded=True,
                duration=lasting(timedelta(milliseconds=31)),
                peer="192.0.2.10:587",
            ),
            failure_pb2.TraceStep(
                stage=failure_pb2.FAILURE_STAGE_TLS,
                succeeded=True,
                duration=lasting(timedelta(microseconds=4200)),
                tls=tls,
            ),
            failure_pb2.TraceStep(
                stage=failure_pb2.FAILURE_STAGE_AUTH,
                succeeded=succeeded,
                duration=lasting(timedelta(seconds=2.5)),
                detail="PLAIN",
                reply="235 2.7.0 Welcome" if succeeded else "535 5.7.8 Bad credentials",
            ),
        ],
    )


def a_failure() -> failure_pb2.Failure:
    return failure_pb2.Failure(
        reason="AUTH_REJECTED",
        kind=failure_pb2.FAILURE_KIND_MISCONFIGURED,
        stage=failure_pb2.FAILURE_STAGE_AUTH,
        provider_code="535 5.7.8",
        provider_reply="535 5.7.8 Bad credentials",
        cause="The server does not accept user name and password.",
        remedy="Check them, or make an app password.",
        fixes=[failure_pb2.Fix(field="settings.smtp.port", value="465")],
    )


def a_delivery(**changes: object) -> delivery_pb2.Delivery:
    values: dict[str, object] = {
        "delivery_id": "d-1",
        "state": delivery_pb2.DELIVERY_STATE_SENT,
        "configuration_id": "alerts",
        "message_id": "<1@example.com>",
        "recipients": [
            delivery_pb2.RecipientResult(
                address="anna@example.com", state=delivery_pb2.RECIPIENT_STATE_SENT, provider_reply="250 2.0.0 Ok"
            )
        ],
        "attempt_count": 1,
        "create_time": at(),
        "final_time": at(),
        "attempts": [delivery_pb2.Attempt(number=1, start_time=at(), end_time=at(), trace=a_trace())],
    }
    return delivery_pb2.Delivery(**(values | changes))  # type: ignore[arg-type]
