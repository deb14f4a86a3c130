"""The page that Prometheus reads."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.metrics import Metrics

METRICS_PATH: Final = "/metrics"


def metrics_route(metrics: Metrics) -> Route:
    """
    Returns the route of the metrics, in Prometheus's text format or, where the reader asks so, in OpenMetrics.

    It needs no credential and names tenants and configurations, so that a proxy which lets browsers in should not
    pass it on.
    """

    # Not async: it then runs in a thread, and many configurations do not hold up the loop.
    def page(request: Request) -> Response:
        text, media_type = metrics.exposition(request.headers.get("accept", ""))
        return Response(text, headers={"Content-Type": media_type, "Cache-Control": "no-store"})

    return Route(METRICS_PATH, page, methods=["GET"])
