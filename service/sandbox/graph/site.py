"""The routes of the Graph simulator."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from service.sandbox.graph.access import Need
from service.sandbox.graph.attachment_calls import UPLOAD_PATH, AttachmentCalls
from service.sandbox.graph.control import Control
from service.sandbox.graph.errors import GraphError
from service.sandbox.graph.gateway import Call, Gateway, Handler
from service.sandbox.graph.message_calls import MessageCalls
from service.sandbox.graph.operations import Operation
from service.sandbox.graph.pages import GraphPages
from service.sandbox.graph.simulator import GraphSimulator
from service.sandbox.graph.tokens import Caller


def graph_routes(simulator: GraphSimulator) -> list[BaseRoute]:
    """Returns the routes, to be mounted at `simulator.GRAPH_PATH`."""
    gateway = Gateway(simulator)
    messages = MessageCalls(simulator)
    files = AttachmentCalls(simulator, messages)
    table: tuple[tuple[str, str, Operation, Need, Handler], ...] = (
        ("GET", "", Operation.GET_USER, Need.USER, messages.user),
        ("POST", "/sendMail", Operation.SEND_MAIL, Need.SEND, messages.send_mail),
        ("POST", "/messages", Operation.CREATE_DRAFT, Need.WRITE, messages.create),
        ("GET", "/messages", Operation.LIST_MESSAGES, Need.READ, messages.list),
        ("GET", "/mailFolders/{folder}", Operation.GET_FOLDER, Need.READ, messages.folder),
        ("GET", "/mailFolders/{folder}/messages", Operation.LIST_MESSAGES, Need.READ, messages.list),
        ("GET", "/messages/{id}", Operation.GET_MESSAGE, Need.READ, messages.get),
        ("PATCH", "/messages/{id}", Operation.UPDATE_MESSAGE, Need.WRITE, messages.update),
        ("DELETE", "/messages/{id}", Operation.DELETE_MESSAGE, Need.WRITE, messages.delete),
        ("POST", "/messages/{id}/send", Operation.SEND_DRAFT, Need.SEND, messages.send),
        ("POST", "/messages/{id}/attachments", Operation.ADD_ATTACHMENT, Need.WRITE, files.add),
        ("GET", "/messages/{id}/attachments", Operation.LIST_ATTACHMENTS, Need.READ, files.list),
        (
            "POST",
            "/messages/{id}/attachments/createUploadSession",
            Operation.CREATE_UPLOAD_SESSION,
            Need.WRITE,
            files.create_session,
        ),
    )
    routes: list[BaseRoute] = [
        Route(f"/v1.0{user}{path}", gateway.by_token(operation, need, handler), methods=[method])
        for user in ("/me", "/users/{user}")
        for method, path, operation, need, handler in table
    ]
    uploads: tuple[tuple[str, Operation, Handler], ...] = (
        ("PUT", Operation.UPLOAD_RANGE, files.put),
        ("GET", Operation.GET_UPLOAD_SESSION, files.status),
        ("DELETE", Operation.CANCEL_UPLOAD_SESSION, files.cancel),
    )
    routes += [
        Route(f"{UPLOAD_PATH}/{{rest:path}}", gateway.endpoint(operation, files.identify, handler), methods=[method])
        for method, operation, handler in uploads
    ]
    unknown = gateway.endpoint(Operation.UNKNOWN, _nowhere, _never)
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    return [
        Route("/", GraphPages(simulator).index),
        *Control(simulator).routes(),
        *routes,
        Route("/v1.0/{rest:path}", unknown, methods=methods),
    ]


def _nowhere(request: Request) -> tuple[Caller, str]:
    segment = request.path_params["rest"].rpartition("/")[2]
    raise GraphError(400, "BadRequest", f"Resource not found for the segment '{segment}'.")


async def _never(_call: Call) -> Response:
    raise AssertionError("a request for nothing was admitted")
