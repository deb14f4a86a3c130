"""What Microsoft Graph answers, by its error codes (learn.microsoft.com/graph/errors and reports, as of 2026-11)."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from domain.failures.catalogue.entry import Entry
from domain.failures.catalogue.wording import WAIT, WAIT_A_DAY
from domain.failures.evidence import Surface
from domain.failures.failure import FailureKind, Fix
from domain.reasons import Reason

_GRAPH: Final = frozenset({Surface.GRAPH})
_ERRORS: Final = "https://learn.microsoft.com/graph/errors"
_AUTH_ERRORS: Final = "https://learn.microsoft.com/graph/resolve-auth-errors"
_SCOPES: Final = Fix("settings.oauth.scopes", "https://graph.microsoft.com/Mail.Send offline_access")
_DOUBT: Final = (
    "Look in Sent Items before sending it again by hand. A queued message is settled under its in_doubt_policy; a test "
    "mail is not sent again by itself."
)


def _entry(
    error: str,
    reason: Reason,
    kind: FailureKind,
    cause: str,
    remedy: str,
    *,
    text: str = "",
    code: str = "",
    unless: str = "",
    fixes: tuple[Fix, ...] = (),
    pause: timedelta | None = None,
    help_url: str = _ERRORS,
    sample: str = "",
) -> Entry:
    return Entry(
        surfaces=_GRAPH,
        error=error,
        reason=reason,
        kind=kind,
        cause=cause,
        remedy=remedy,
        text=text,
        code=code,
        unless=unless,
        fixes=fixes,
        pause=pause,
        help_url=help_url,
        sample=sample,
    )


def _sample(code: str, message: str) -> str:
    return f'{{"error":{{"code":"{code}","message":"{message}"}}}}'


_TOKENS: Final = (
    _entry(
        "InvalidAuthenticationToken|UnauthorizedRequest|invalid_token|unauthenticated|ErrorTokenNotValid",
        Reason.TOKEN_UNUSABLE,
        FailureKind.MISCONFIGURED,
        "The access token was issued for another resource than Microsoft Graph.",
        "Keep only https://graph.microsoft.com scopes in the settings, then call Authorize again.",
        text=r"audience|wrong resource",
        fixes=(_SCOPES,),
        help_url=_AUTH_ERRORS,
        sample=_sample("InvalidAuthenticationToken", "Access token validation failure. Invalid audience."),
    ),
    _entry(
        "InvalidAuthenticationToken|UnauthorizedRequest|invalid_token|unauthenticated|ErrorTokenNotValid|BadRequest",
        Reason.TOKEN_UNUSABLE,
        FailureKind.MISCONFIGURED,
        "What was sent as a token is none that Microsoft Graph can read{reply}: damaged, empty, or of another service.",
        "Check that the provider is Microsoft and the scopes are Graph's, then call Authorize again.",
        text=r"well formed|idx\d{4,}.{0,80}(jwt|jws)|compacttoken|token is empty|not a? ?valid jwt|parsing failed|"
        r"malformed",
        unless=r"expired",
        help_url=_AUTH_ERRORS,
        sample=_sample("InvalidAuthenticationToken", "CompactToken parsing failed with error code: 80049217"),
    ),
    _entry(
        "InvalidAuthenticationToken|UnauthorizedRequest|invalid_token|unauthenticated|ErrorTokenNotValid|"
        "InvalidMsaTicket|TokenNotFound|AuthenticationError|ErrorInvalidToken",
        Reason.AUTH_REJECTED,
        FailureKind.REAUTHORIZE,
        "Microsoft Graph refused the access token{reply}; it has expired or was revoked.",
        "Have the token renewed once; if it is refused again, call Authorize and let the account's owner consent.",
        help_url=_AUTH_ERRORS,
        sample=_sample("InvalidAuthenticationToken", "Lifetime validation failed, the token is expired."),
    ),
    _entry(
        "insufficient_claims|.*(interactionrequired|claims_?challenge)",
        Reason.SIGN_IN_BLOCKED,
        FailureKind.REAUTHORIZE,
        "A Conditional Access policy asks for more than this sign-in had, often a second factor{reply}.",
        "Call Authorize and let the account's owner sign in again with what the policy asks for.",
        help_url=_AUTH_ERRORS,
        sample=_sample("insufficient_claims", "Continuous access evaluation resulted in challenge."),
    ),
)

_RIGHTS: Final = (
    _entry(
        "ErrorAccessDenied|AccessDenied|Forbidden",
        Reason.PERMISSION_MISSING,
        FailureKind.MISCONFIGURED,
        "An application access policy limits the app to certain mailboxes, and this one is not among them.",
        "Add the mailbox to the group that the application access policy names, then wait up to an hour.",
        text=r"\[raop\]|accesspolicy",
        sample=_sample(
            "ErrorAccessDenied",
            "Access to OData is disabled: [RAOP] : Blocked by tenant configured AppOnly AccessPolicy settings.",
        ),
    ),
    _entry(
        "ErrorSendAsDenied|ErrorSendOnBehalfDenied|ErrorSendAs.*",
        Reason.SENDER_REFUSED,
        FailureKind.MISCONFIGURED,
        "The From address is not the signed-in mailbox's, and Exchange has no Send As or Send on Behalf right for it.",
        "Give the user the Send As right on that mailbox, or change the from address to the account's own.",
        sample=_sample(
            "ErrorSendAsDenied",
            "The user account does not have the right to send mail on behalf of the specified sending account.",
        ),
    ),
    _entry(
        "ErrorAccessDenied|AccessDenied|Authorization_RequestDenied|Forbidden|ErrorInsufficientPermissions.*|"
        "Authorization_IdentityNotFound|insufficient_scope|MissingClaimType",
        Reason.PERMISSION_MISSING,
        FailureKind.MISCONFIGURED,
        "The token or the account has no right to this mailbox or function{reply}: Mail.Send, admin consent or a right "
        "in Exchange is missing.",
        "Add Mail.Send (for a shared mailbox also Mail.Send.Shared) to the app's permissions, grant admin consent, "
        "give "
        "the user rights on the mailbox, then call Authorize again.",
        help_url=_AUTH_ERRORS,
        sample=_sample("ErrorAccessDenied", "Access is denied. Check credentials and try again."),
    ),
    _entry(
        "ErrorMessageSubmissionBlocked|ErrorAccountSuspend.*|ErrorAccountSuspended|.*SubmissionBlocked",
        Reason.SENDING_BLOCKED,
        FailureKind.MISCONFIGURED,
        "Microsoft has blocked the account from sending, or wants it to be verified{reply}.",
        "Sign in to the mailbox in a browser and follow the instructions in its inbox.",
        sample=_sample("ErrorMessageSubmissionBlocked", "Cannot send mail. Follow the instructions in your Inbox."),
    ),
    _entry(
        "MailboxNotEnabledForRESTAPI|MailboxNotSupportedForRESTAPI|ErrorMailboxNotEnabledForRESTAPI",
        Reason.MAILBOX_NOT_FOUND,
        FailureKind.MISCONFIGURED,
        "The user has no mailbox in Exchange Online: no licence, deleted, or still on a server of the organisation's "
        "own.",
        "Assign an Exchange Online licence to the user, or send by SMTP through the organisation's own server.",
        sample=_sample(
            "MailboxNotEnabledForRESTAPI", "The mailbox is either inactive, soft-deleted, or is hosted on-premise."
        ),
    ),
    _entry(
        "ResourceNotFound|ErrorInvalidUser|ErrorNonExistentMailbox|ErrorMailboxNotFound|Request_ResourceNotFound|"
        "MailboxInfoStale|ErrorInvalidMailbox.*",
        Reason.MAILBOX_NOT_FOUND,
        FailureKind.MISCONFIGURED,
        "The user or mailbox that the settings name cannot be found{reply}; a new mailbox may show this for some "
        "minutes.",
        "Check the mailbox address and its licence. If the mailbox is new, wait for half an hour.",
        sample=_sample("ResourceNotFound", "Resource could not be discovered."),
    ),
)

_ALLOWANCES: Final = (
    _entry(
        "ErrorExceededMessageLimit|ErrorSubmissionQuotaExceeded|.*DailyLimit.*",
        Reason.QUOTA_EXCEEDED,
        FailureKind.THROTTLED,
        "The account has used up what it may send in a day, or has to verify itself first{reply}.",
        f"Sign in to the mailbox in a browser and verify the account. {WAIT_A_DAY}",
        pause=timedelta(hours=4),
        sample=_sample("ErrorExceededMessageLimit", "Cannot send mail. Daily Message/Recipient limit exceeded."),
    ),
    _entry(
        "ApplicationThrottled|TooManyRequests|activityLimitReached|MailboxConcurrency|ErrorTooManyRequests|"
        "ErrorExceededConnectionCount|ErrorConcurrency.*|RequestThrottled|.*Throttle.*|ErrorServerBusyThrottle|429",
        Reason.THROTTLED,
        FailureKind.THROTTLED,
        "More requests for this mailbox ran at a time, or in a short time, than Graph allows{reply}.",
        f"{WAIT} Let fewer programs use this mailbox; four at a time are allowed.",
        help_url="https://learn.microsoft.com/graph/throttling-limits",
        sample=_sample("ApplicationThrottled", "Application is over its MailboxConcurrency limit."),
    ),
    _entry(
        "ErrorQuotaExceeded|QuotaExceeded(Exception)?|quotaLimitReached|ErrorMailboxFull",
        Reason.SENDER_MAILBOX_FULL,
        FailureKind.MISCONFIGURED,
        "The sending mailbox is full, so that neither draft nor sent copy can be stored.",
        "Free some space in the mailbox, or give it a retention policy.",
        sample=_sample("ErrorQuotaExceeded", "Mailbox has exceeded maximum mailbox size."),
    ),
)

_MESSAGES: Final = (
    _entry(
        "ErrorRecipientLimit.*|ErrorTooManyRecipients|.*RecipientsLimit.*",
        Reason.RECIPIENTS_ABOVE_SERVER_LIMIT,
        FailureKind.THROTTLED,
        "The message has more recipients than Exchange takes at once{reply}.",
        "The remaining recipients of a queued message are tried again by themselves; otherwise send to fewer at once.",
        sample=_sample("ErrorRecipientLimitExceeded", "The number of recipients exceeds the limit."),
    ),
    _entry(
        "ErrorMessageSizeExceeded|ErrorAttachmentSizeLimitExceeded|RequestEntityTooLarge|Request_EntityTooLarge|"
        "MaximumRequestLengthExceeded|ErrorContentTooLarge|RequestBodyTooLarge|413",
        Reason.TOO_LARGE,
        FailureKind.PERMANENT,
        "The message is larger than the mailbox, the organisation or the request may be.",
        "Make the attachments smaller, or raise the mailbox's maximum send size.",
        sample=_sample("ErrorMessageSizeExceeded", "The message exceeds the maximum supported size."),
    ),
    _entry(
        "ErrorInvalidRecipients|ErrorRecipientNotFound|ErrorMissingRecipients|InvalidRecipients",
        Reason.RECIPIENT_UNKNOWN,
        FailureKind.PERMANENT,
        "No recipient of the message is one that Exchange can use{reply}.",
        "Give at least one valid recipient; with raw MIME the header lines name them.",
        sample=_sample("ErrorInvalidRecipients", "At least one recipient is not valid."),
    ),
    _entry(
        "InvalidInternetMessageHeader.*",
        Reason.MESSAGE_REFUSED,
        FailureKind.PERMANENT,
        "Graph takes only headers of its own making whose names begin with x-{reply}.",
        "Rename the header so that it begins with X-, or send the message as raw MIME.",
        sample=_sample(
            "InvalidInternetMessageHeader",
            "The internet message header name 'Parcel-ID' should start with 'x-' or 'X-'.",
        ),
    ),
    _entry(
        "ErrorItemNotFound|itemNotFound|ErrorItemNotFound.*",
        Reason.MESSAGE_REFUSED,
        FailureKind.PERMANENT,
        "The draft that was to be sent is gone: somebody sent, moved or deleted it.",
        "Look in Sent Items before sending it again.",
        sample=_sample("ErrorItemNotFound", "The specified object was not found in the store."),
    ),
    _entry(
        "ErrorMimeContent.*|ErrorInvalidProperty.*|ErrorInvalidRequest|RequestBodyRead|ErrorPropertyValidationFailure|"
        "ErrorSchemaValidation|UnableToDeserializePostBody|ErrorInvalid(Id|Argument|Operation).*|ErrorSubmission.*",
        Reason.MESSAGE_REFUSED,
        FailureKind.PERMANENT,
        "Graph does not take the message or the request as it is{reply}.",
        "Correct what the answer names, at the program that makes the message.",
        sample=_sample("ErrorMimeContentInvalidBase64String", "Invalid base64 string for MIME content."),
    ),
    _entry(
        "RequestBroker.*|BadRequest|Request_BadRequest|invalidRequest|notSupported|NotImplemented|Request_Unsupported.*",
        Reason.MESSAGE_REFUSED,
        FailureKind.MISCONFIGURED,
        "Graph does not know this request{reply}.",
        "Check base_url and mailbox of the settings.",
        sample=_sample("RequestBroker--ParseUri", "Resource not found for the segment 'sendMails'."),
    ),
)

_TROUBLES: Final = (
    _entry(
        "ErrorServerBusy|ErrorMailboxMoveInProgress|serviceNotAvailable|ServiceUnavailable|ErrorMailboxStoreUnavailable|ErrorConnectionFailed|"
        "ErrorTimeoutExpired|ErrorInternalServerTransientError|503",
        Reason.SERVER_BUSY,
        FailureKind.TRANSIENT,
        "Graph or the mailbox's server is overloaded or in maintenance{reply}.",
        WAIT,
        sample=_sample("ErrorServerBusy", "The server cannot service this request right now. Try again later."),
    ),
    _entry(
        "ErrorInternalServerError|InternalServerError|generalException|ErrorIrresolvableConflict|ErrorBatchProcessing.*|"
        "Request_.*Conflict|ErrorChangeKeyRequired|ErrorStaleObject",
        Reason.REFUSED_FOR_NOW,
        FailureKind.TRANSIENT,
        "Graph met a fault of its own{reply}.",
        WAIT,
        sample=_sample("ErrorInternalServerError", "An internal server error occurred. The operation failed."),
    ),
    _entry(
        "UnknownError|BadGateway|GatewayTimeout|.*GatewayTimeout.*",
        Reason.OUTCOME_UNKNOWN,
        FailureKind.IN_DOUBT,
        "The gateway of Graph stopped waiting for Exchange; the message has often been sent all the same.",
        _DOUBT,
        code="50[024]|000",
        sample=_sample("UnknownError", ""),
    ),
)

_WORDS: Final = (
    _entry(
        "",
        Reason.THROTTLED,
        FailureKind.THROTTLED,
        "Microsoft Graph gets more requests than it allows{reply}.",
        WAIT,
        text=r"toomanyrequests|too many requests|throttl",
        help_url="https://learn.microsoft.com/graph/throttling-limits",
        sample=_sample("ExtensionError", "Operation: Create; Exception: [Status Code: TooManyRequests; Reason: ]"),
    ),
    _entry(
        "",
        Reason.SERVER_BUSY,
        FailureKind.TRANSIENT,
        "Microsoft Graph cannot answer just now{reply}.",
        WAIT,
        text=r"try again (later|in)|temporarily unavailable|service (is )?unavailable|server is busy",
        code="000|50[0139]",
        sample=_sample("Unavailable", "The service is temporarily unavailable."),
    ),
)
"""For codes that nobody has seen yet."""

GRAPH: Final = (*_TOKENS, *_RIGHTS, *_ALLOWANCES, *_MESSAGES, *_TROUBLES, *_WORDS)

_STATUSES: Final = (
    ("401", Reason.AUTH_REJECTED, FailureKind.REAUTHORIZE, "Microsoft Graph refused the access token{reply}.",
     "Have the token renewed once; if it is refused again, call Authorize and let the account's owner consent."),
    ("403", Reason.PERMISSION_MISSING, FailureKind.MISCONFIGURED, "Microsoft Graph does not permit this{reply}.",
     "Check the app's permissions, admin consent, and the account's rights on the mailbox."),
    ("404", Reason.MAILBOX_NOT_FOUND, FailureKind.MISCONFIGURED, "Microsoft Graph cannot find the mailbox{reply}.",
     "Check mailbox and base_url of the settings, and the licence of the mailbox."),
    ("409|412|423", Reason.REFUSED_FOR_NOW, FailureKind.TRANSIENT, "Another program changed the draft{reply}.", WAIT),
    ("413", Reason.TOO_LARGE, FailureKind.PERMANENT, "The request is larger than Microsoft Graph takes.",
     "Make the attachments smaller, or send a link instead."),
    ("429", Reason.THROTTLED, FailureKind.THROTTLED, "Microsoft Graph gets more requests than it allows{reply}.", WAIT),
    ("507", Reason.SENDER_MAILBOX_FULL, FailureKind.MISCONFIGURED, "The sending mailbox is full{reply}.",
     "Free some space in the mailbox, or give it a retention policy."),
    ("500|503|509", Reason.SERVER_BUSY, FailureKind.TRANSIENT, "Microsoft Graph cannot answer just now{reply}.", WAIT),
    ("502|504", Reason.OUTCOME_UNKNOWN, FailureKind.IN_DOUBT,
     "The gateway of Microsoft Graph had no answer from Exchange; the message has often been sent all the same.",
     _DOUBT),
    ("4..", Reason.MESSAGE_REFUSED, FailureKind.PERMANENT, "Microsoft Graph does not take the request{reply}.",
     "Read the answer's words; they name the field that is wrong."),
)  # fmt: skip

GRAPH_CLASSES: Final = (
    *(
        Entry(surfaces=_GRAPH, code=code, reason=reason, kind=kind, cause=cause, remedy=remedy)
        for code, reason, kind, cause, remedy in _STATUSES
    ),
    Entry(
        surfaces=_GRAPH,
        reason=Reason.PROTOCOL_ERROR,
        kind=FailureKind.TRANSIENT,
        cause="Microsoft Graph answered in a way that mailport does not know{because}{reply}.",
        remedy=f"{WAIT} If it lasts, check base_url of the settings.",
    ),
)
"""By HTTP status, where the code is none of the known ones; codes are open-ended by Graph's own words."""
