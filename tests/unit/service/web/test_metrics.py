"""What Prometheus gets from the web side."""

from __future__ import annotations

from datetime import timedelta

import httpx2
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain_text
from starlette.applications import Starlette

from domain.account import Account
from domain.forecast import Forecast, ForecastKind
from service.metrics import Metrics
from service.web.metrics import METRICS_PATH, metrics_route
from tests.builders import NOW


async def asked(metrics: Metrics, *, accept: str = "*/*", method: str = "GET") -> httpx2.Response:
    transport = httpx2.ASGITransport(app=Starlette(routes=[metrics_route(metrics)]))
    async with httpx2.AsyncClient(transport=transport, base_url="http://mailport") as client:
        return await client.request(method, METRICS_PATH, headers={"accept": accept})


async def test_given_metrics_when_read_then_they_are_prometheus_text() -> None:
    metrics = Metrics()
    metrics.grant_died()

    answer = await asked(metrics)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    families = {family.name: family for family in plain_text(answer.text)}
    assert families["mailport_grants_died"].samples[0].value == 1
    assert all(name.startswith("mailport_") and family.documentation for name, family in families.items())


async def test_given_a_reader_of_open_metrics_when_asked_then_gets_that() -> None:
    answer = await asked(Metrics(), accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5")

    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0; charset=utf-8")
    assert "mailport_token_refreshes" in {family.name for family in open_metrics(answer.text)}  # type: ignore[no-untyped-call]


async def test_given_names_with_quotes_and_line_breaks_when_read_then_no_line_is_forged() -> None:
    metrics = Metrics()
    name = 'a"} 1\nforged 2\\'
    metrics.ends_foreseen(Account(name, "b"), [Forecast(ForecastKind.GRANT_IDLE, NOW + timedelta(1), "", "")])

    answer = await asked(metrics)

    assert "\nforged" not in answer.text
    (family,) = (each for each in plain_text(answer.text) if "expected" in each.name)
    assert [sample.labels["tenant"] for sample in family.samples] == [name]


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_given_a_method_that_changes_when_called_then_is_not_allowed(method: str) -> None:
    assert (await asked(Metrics(), method=method)).status_code == 405
