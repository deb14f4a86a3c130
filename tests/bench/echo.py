"""An empty gRPC call in a process of its own: what a Send cannot be faster than here."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import grpc

from tests.bench.answering import answering, nothing

METHOD: Final = "/mailport.bench.Echo/Echo"


async def main() -> None:
    """Serves until the input ends."""
    server = grpc.aio.server()
    service, method = METHOD.lstrip("/").split("/")
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(service, {method: grpc.unary_unary_rpc_method_handler(_echo)}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    await answering({"address": f"127.0.0.1:{port}"}, nothing)
    await server.stop(None)


async def _echo(request: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
    return request


if __name__ == "__main__":
    asyncio.run(main())
