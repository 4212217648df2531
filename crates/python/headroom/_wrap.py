"""Official clients whose requests pass through Headroom inside this process.

A wrapped client is a copy that talks to a proxy on the loopback interface of this very process, which is the proxy of ``headroom proxy`` and no second
implementation: streams, retrievals and refusals are handled in one place. The proxy talks to the address that the client had, with the client's own key.
"""

import sys
from typing import Any, Optional, TypeVar

from . import _arguments
from ._errors import ConfigError
from ._library import Headroom, default_headroom

Client = TypeVar("Client")

_CLIENTS = {
    ("anthropic", "Anthropic"): "DefaultHttpxClient",
    ("anthropic", "AsyncAnthropic"): "DefaultAsyncHttpxClient",
    ("openai", "OpenAI"): "DefaultHttpxClient",
    ("openai", "AsyncOpenAI"): "DefaultAsyncHttpxClient",
}


def wrap(client: Client, headroom: Optional[Headroom] = None) -> Client:
    """A copy of an official Anthropic or OpenAI client, sync or async, whose requests are made shorter on their way. Streams stay streams, and what the
    model asks back is answered without the caller noticing.

    ``headroom`` is the library to use; by default the one on the user's own store. The copy lives as long as that is open. It has its own HTTP client to reach
    this process, and the provider is called by Headroom's: a custom ``http_client`` does not see those requests.
    """
    if headroom is None:
        headroom = default_headroom()
    elif not isinstance(headroom, Headroom):
        _arguments.refuse("headroom", "a Headroom, as in wrap(client, Headroom())", headroom)
    if getattr(client, "_headroom", None) is not None:
        return client
    package, http_client = _recognised(client)
    # Types end here: which methods these are is known by the class.
    original: Any = client
    base = str(original.base_url).rstrip("/")
    upstream, path = (base, "") if package == "anthropic" else _without_version(base)
    url, token = headroom._library.loopback(upstream)
    # Settings of the environment for proxies are for the way to the provider, not for the one to this process.
    local = getattr(sys.modules[package], http_client)(trust_env=False)
    copy = original.with_options(
        base_url=url + path, default_headers={"x-headroom-token": token}, http_client=local
    )
    copy._headroom = headroom
    wrapped: Client = copy
    return wrapped


def _recognised(client: object) -> tuple[str, str]:
    names = [(cls.__module__.split(".")[0], cls.__name__) for cls in type(client).__mro__]
    for package, name in names:
        http_client = _CLIENTS.get((package, name))
        if http_client is not None and not any("Azure" in other for _, other in names):
            return package, http_client
    raise TypeError(
        "client: expected Anthropic, AsyncAnthropic, OpenAI or AsyncOpenAI of the official packages, "
        f"not {type(client).__name__}; for others start a HeadroomProxy and use its url as base address"
    )


def _without_version(base: str) -> tuple[str, str]:
    if not base.endswith("/v1"):
        raise ConfigError(
            f"client.base_url: {base!r} does not end in /v1, below which OpenAI-compatible servers are known; "
            "use an address that does"
        )
    return base[: -len("/v1")], "/v1"
