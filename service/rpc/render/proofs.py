"""What ValidateAndSave, SendTest and CheckAccount found out."""

from __future__ import annotations

from mailport.v1 import mail_service_pb2 as pb
from service.rpc.render.configurations import render_configuration
from service.rpc.render.failures import render_trace
from service.rpc.render.values import enum_value, text, timestamp
from service.rpc.render.warnings import render_revision_warnings, render_warnings
from service.usecases.check_account import AccountChecked
from service.usecases.send_test import TestSent
from service.usecases.validate_and_save import Validated


def render_validated(validated: Validated) -> pb.ValidateAndSaveResponse:
    """Returns the proof; its warnings are those of the revision that was proven, and of the proof itself."""
    view = validated.view
    proven = view.draft if validated.confirmation_expire_time is not None else view.active
    return pb.ValidateAndSaveResponse(
        configuration=render_configuration(view),
        trace=render_trace(validated.trace),
        warnings=[
            *(render_revision_warnings(proven) if proven is not None else ()),
            *render_warnings(validated.warnings),
        ],
        confirmation_expire_time=timestamp(validated.confirmation_expire_time),
        validation_recipient=str(validated.recipient),
    )


def render_test_sent(sent: TestSent) -> pb.SendTestResponse:
    """Returns the server's verdict with the trace."""
    return pb.SendTestResponse(
        trace=render_trace(sent.proof.trace),
        message_id=sent.proof.message_id,
        provider_reply=text(sent.proof.reply),
        tested=enum_value(pb.TestedSettings, "TESTED_SETTINGS_", sent.tested),
        warnings=render_warnings(sent.warnings),
    )


def render_account_checked(checked: AccountChecked) -> pb.CheckAccountResponse:
    """Returns the trace of the sign-in with what will bite later."""
    return pb.CheckAccountResponse(
        trace=render_trace(checked.trace),
        tested=enum_value(pb.TestedSettings, "TESTED_SETTINGS_", checked.tested),
        warnings=render_warnings(checked.warnings),
        unchecked=[text(each) for each in checked.unchecked],
    )
