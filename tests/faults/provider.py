"""A token endpoint in a process of its own, and what a test asks of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx2

from service.sandbox.identity.behaviour import Behaviour, Endpoints, endpoints_at
from service.sandbox.identity.faults import Fault
from service.sandbox.identity.provider import IDENTITY_PATH

REDIRECT_URL: Final = "http://127.0.0.1/oauth/callback"
SCOPES: Final = {
    Behaviour.GOOGLE: "https://mail.google.com/",
    Behaviour.MICROSOFT: "https://outlook.office.com/SMTP.Send offline_access",
    Behaviour.STRICT: "https://mail.sandbox.example/",
}


@dataclass(frozen=True, slots=True)
class SeenGrant:
    """One grant as the provider has it."""

    account: str
    is_alive: bool
    refreshes: int
    """Refreshes that brought tokens, whether or not anybody read them."""
    reuse_detected: int


class Provider:
    """Talks to the process; leave it with `close`."""

    def __init__(self, port: int) -> None:
        self.url: Final = f"http://127.0.0.1:{port}"
        self._http = httpx2.AsyncClient(base_url=self.url, trust_env=False, timeout=60)

    async def close(self) -> None:
        """Lets go what is held, and forgets what was counted and planned."""
        await self.release()
        await self._post(f"{IDENTITY_PATH}/control/reset", {})
        await self._http.aclose()

    def endpoints(self, behaviour: Behaviour) -> Endpoints:
        """Returns the endpoints of one behaviour."""
        return endpoints_at(f"{self.url}{IDENTITY_PATH}/{behaviour}", behaviour)

    async def consent(self, behaviour: Behaviour, account: str) -> str:
        """Consents as *account* and returns the code."""
        answer = await self._post(f"/test/consent?behaviour={behaviour}&account={account}", {})
        return str(answer["code"])

    async def refresh_calls(self, behaviour: Behaviour) -> int:
        """Returns how many refreshes were asked for, whatever came of them."""
        found: dict[str, Any] = (await self._get(f"{IDENTITY_PATH}/counters.json"))[behaviour]
        return int(found["token_calls"].get("refresh_token", 0))

    async def grants(self) -> dict[str, SeenGrant]:
        """Returns the grants by account."""
        found = (await self._get(f"{IDENTITY_PATH}/counters.json"))["grants"]
        return {
            each["account"]: SeenGrant(each["account"], each["is_alive"], each["refreshes"], each["reuse_detected"])
            for each in found
        }

    async def fail_next(self, fault: Fault, behaviour: Behaviour) -> None:
        """Lets *fault* strike the next refresh."""
        await self._post(
            f"{IDENTITY_PATH}/control/faults",
            {"fault": fault, "behaviour": behaviour, "grant_type": "refresh_token"},
        )

    async def hold(self) -> None:
        """Keeps back token answers from now on; what is asked for is done."""
        await self._post("/test/hold", {})

    async def held(self, count: int) -> None:
        """Waits until *count* answers are kept back."""
        await self._get(f"/test/held?count={count}")

    async def release(self) -> None:
        """Lets out what was kept back."""
        await self._post("/test/release", {})

    async def durations(self) -> list[float]:
        """Returns the seconds that each token request took here since the last call."""
        found: list[float] = await self._get("/test/durations")
        return found

    async def _get(self, path: str) -> Any:
        return (await self._http.get(path)).raise_for_status().json()

    async def _post(self, path: str, body: dict[str, Any]) -> Any:
        return (await self._http.post(path, json=body)).raise_for_status().json()


@contextmanager
def provider_process() -> Iterator[int]:
    """Runs the provider; gives its port."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.provider_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()
