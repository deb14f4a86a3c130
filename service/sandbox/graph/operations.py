"""What can be asked of the Graph simulator, by name."""

from __future__ import annotations

from enum import StrEnum


class Operation(StrEnum):
    """One kind of request; faults and records name it."""

    SEND_MAIL = "send_mail"
    CREATE_DRAFT = "create_draft"
    LIST_MESSAGES = "list_messages"
    GET_MESSAGE = "get_message"
    UPDATE_MESSAGE = "update_message"
    DELETE_MESSAGE = "delete_message"
    ADD_ATTACHMENT = "add_attachment"
    LIST_ATTACHMENTS = "list_attachments"
    CREATE_UPLOAD_SESSION = "create_upload_session"
    UPLOAD_RANGE = "upload_range"
    GET_UPLOAD_SESSION = "get_upload_session"
    CANCEL_UPLOAD_SESSION = "cancel_upload_session"
    SEND_DRAFT = "send_draft"
    GET_FOLDER = "get_folder"
    GET_USER = "get_user"
    UNKNOWN = "unknown"
    """A path that Graph does not have."""
