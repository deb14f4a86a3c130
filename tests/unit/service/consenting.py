"""What tests of consents do first: settings with OAuth, a session that is begun, a browser that comes back."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode

from domain.caller import Caller
from domain.consent import ConsentRecord
from domain.consent_callback import WrittenCallback
from domain.secret import Secret
from domain.settings.model import MailSettings, OAuthAuthentication
from domain.settings.written import WrittenOAuth, WrittenSettings
from service.usecases.authorize import Authorization
from service.usecases.complete_auth import Completed
from tests.builders import CONFIGURATION_ID, an_oauth_authentication, some_settings, some_written_settings
from tests.unit.service.world import CALLER, World


def oauth_settings(**changes: Any) -> MailSettings:
    """Returns settings that sign in with OAuth, *changes* made to its client."""
    return some_settings(authentication=an_oauth_authentication(**changes))


def some_written_oauth(client: OAuthAuthentication | None = None, **changes: Any) -> WrittenSettings:
    """Returns what a caller writes to get settings with *client*, *changes* made to the settings."""
    client = client or an_oauth_authentication()
    written = WrittenOAuth(
        provider=client.provider.value,
        client_id=client.client_id,
        client_secret=client.client_secret,
        authorization_endpoint=client.authorization_endpoint,
        token_endpoint=client.token_endpoint,
        revocation_endpoint=client.revocation_endpoint,
        scopes=client.scopes,
        username=client.username,
        grant_type=client.grant_type.value,
    )
    return some_written_settings(authentication=written, **changes)


async def begun(
    world: World,
    *,
    caller: Caller = CALLER,
    configuration_id: str = CONFIGURATION_ID,
    redirect_url: str = "",
    save: bool = False,
    login_hint: str = "",
) -> Authorization:
    """Calls Authorize."""
    return await world.authorize(caller, configuration_id, redirect_url=redirect_url, save=save, login_hint=login_hint)


async def came_back(
    world: World, authorization: Authorization, *, caller: Caller | None = CALLER, code: str = "code-1", **fields: Any
) -> Completed:
    """Calls CompleteAuth with the state of *authorization* and *code*, or other fields of a callback."""
    written = WrittenCallback(**{"state": authorization.state, "code": Secret(code), **fields})
    return await world.complete_auth(caller, written)


async def consented(
    world: World, *, caller: Caller = CALLER, save: bool = False, code: str = "code-1", redirect_url: str = ""
) -> Completed:
    """Lets the owner of the account consent, from Authorize to CompleteAuth."""
    authorization = await begun(world, caller=caller, save=save, redirect_url=redirect_url)
    return await came_back(world, authorization, caller=caller, code=code)


async def record_of(world: World) -> ConsentRecord:
    """Returns how the latest consent session stands, as the owner of the configuration sees it."""
    view = await world.get_configuration(CALLER, CONFIGURATION_ID)
    assert view.consent is not None
    return view.consent


def parameters_of(url: str) -> dict[str, str]:
    """Returns the parameters of an address, each of which stands there once."""
    pairs = parse_qsl(url.partition("?")[2], keep_blank_values=True, strict_parsing=True)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def callback_url(authorization: Authorization, **parameters: str) -> Secret:
    """Returns the address that the provider sends the browser to, by default with a code."""
    query = urlencode({"state": authorization.state, "code": "code-1", **parameters})
    return Secret(f"{authorization.redirect_url}?{query}")
