"""All commands of the server."""

from __future__ import annotations

from typing import Final

from service.sandbox.imap import (
    folder_commands,
    list_commands,
    message_commands,
    session_commands,
    sign_in_commands,
)
from service.sandbox.imap.session import Command, State

_ALWAYS: Final = frozenset(State)
_BEFORE: Final = frozenset({State.NOT_AUTHENTICATED})
_SIGNED_IN: Final = frozenset({State.AUTHENTICATED, State.SELECTED})
_SELECTED: Final = frozenset({State.SELECTED})

COMMANDS: Final = {
    "CAPABILITY": Command(session_commands.capability, _ALWAYS),
    "NOOP": Command(session_commands.noop, _ALWAYS),
    "LOGOUT": Command(session_commands.logout, _ALWAYS),
    "ID": Command(session_commands.identify, _ALWAYS),
    "STARTTLS": Command(sign_in_commands.starttls, _BEFORE),
    "LOGIN": Command(sign_in_commands.login, _BEFORE),
    "AUTHENTICATE": Command(sign_in_commands.authenticate, _BEFORE),
    "ENABLE": Command(session_commands.enable, _SIGNED_IN),
    "NAMESPACE": Command(session_commands.namespace, _SIGNED_IN),
    "IDLE": Command(session_commands.idle, _SIGNED_IN),
    "LIST": Command(list_commands.list_folders, _SIGNED_IN),
    "LSUB": Command(list_commands.list_subscribed, _SIGNED_IN),
    "SELECT": Command(folder_commands.select, _SIGNED_IN),
    "EXAMINE": Command(folder_commands.examine, _SIGNED_IN),
    "CREATE": Command(folder_commands.create, _SIGNED_IN),
    "DELETE": Command(folder_commands.delete, _SIGNED_IN),
    "RENAME": Command(folder_commands.rename, _SIGNED_IN),
    "SUBSCRIBE": Command(folder_commands.subscribe, _SIGNED_IN),
    "UNSUBSCRIBE": Command(folder_commands.unsubscribe, _SIGNED_IN),
    "STATUS": Command(folder_commands.status, _SIGNED_IN),
    "APPEND": Command(folder_commands.append, _SIGNED_IN),
    "CHECK": Command(session_commands.noop, _SELECTED),
    "CLOSE": Command(folder_commands.close, _SELECTED),
    "UNSELECT": Command(folder_commands.unselect, _SELECTED),
    "EXPUNGE": Command(message_commands.expunge, _SELECTED),
    "SEARCH": Command(message_commands.search, _SELECTED, expunges=False),
    "FETCH": Command(message_commands.fetch, _SELECTED, expunges=False),
    "STORE": Command(message_commands.store, _SELECTED, expunges=False),
    "COPY": Command(message_commands.copy, _SELECTED),
    "MOVE": Command(message_commands.move, _SELECTED),
    "UID": Command(message_commands.uid, _SELECTED),
}
