"""The proxy inside this process."""

import json
from collections.abc import Mapping
from os import PathLike
from types import TracebackType
from typing import Any, Optional, Union

from . import _arguments, _native
from ._errors import ConfigError

_PROVIDERS = ["anthropic", "openai", "gemini"]


class HeadroomProxy:
    """``headroom proxy`` inside this process. May be used as a context manager.

    ``target`` is where requests go: the address of a provider, of a gateway that speaks for all of them, or a dict with addresses for ``anthropic``,
    ``openai`` and ``gemini``. Anything but a loopback ``host`` needs a ``token``, which every request has to carry in ``x-headroom-token``. ``port`` 0 takes a free
    one. ``align="auto"`` keeps values that change in instructions and tools (times, identifiers) from moving the provider's cached prefix. The other arguments are those of ``Headroom``.
    """

    def __init__(
        self,
        target: Optional[Union[str, Mapping[str, str]]] = None,
        *,
        compression_config: Optional[Mapping[str, Mapping[str, Any]]] = None,
        ccr_enabled: Optional[bool] = None,
        port: int = 8787,
        host: str = "127.0.0.1",
        token: Optional[str] = None,
        store: "Optional[Union[str, PathLike[str]]]" = None,
        policy: Optional[str] = None,
        retrieval: Optional[str] = None,
        align: Optional[str] = None,
        tenant: Optional[str] = None,
        project: Optional[str] = None,
    ) -> None:
        one, several = _targets(target)
        self._proxy = _native.Proxy(
            _arguments.settings(store, tenant, project, compression_config, policy, retrieval, ccr_enabled),
            one,
            several,
            _arguments.text("host", host),
            _arguments.whole("port", port, 0, 65535),
            _arguments.optional_text("token", token),
            _arguments.optional_text("align", align),
        )

    def start(self) -> "HeadroomProxy":
        """Opens the store and listens; raises ``StoreError`` or ``ProxyError`` where that cannot be. A proxy that runs goes on."""
        self._proxy.start()
        return self

    def stop(self) -> None:
        """Lets requests under way finish, files their receipts and closes the store. Stopping again does nothing."""
        self._proxy.stop()

    @property
    def url(self) -> str:
        """Its base address; raises ``ClosedError`` while it does not run."""
        return self._proxy.url()

    def stats(self, hours: Optional[int] = None) -> dict[str, Any]:
        """What it did: counters, what the store holds, and with ``hours`` what the requests of so many hours cost."""
        figures: dict[str, Any] = json.loads(self._proxy.stats(_arguments.whole("hours", hours, 0, 1 << 40)))
        return figures

    def __enter__(self) -> "HeadroomProxy":
        return self.start()

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.stop()


def _targets(target: Any) -> tuple[Optional[str], tuple[Optional[str], Optional[str], Optional[str]]]:
    if target is None or isinstance(target, str):
        return target, (None, None, None)
    if not isinstance(target, Mapping):
        _arguments.refuse("target", "an address, or a dict of addresses by provider", target)
    for name in target:
        if name not in _PROVIDERS:
            meant = _native.nearest(str(name), _PROVIDERS)
            suggestion = f"did you mean {meant!r}? " if meant else ""
            raise ConfigError(f"target: unknown provider {name!r}; {suggestion}known: {', '.join(_PROVIDERS)}")
    anthropic, openai, gemini = (_arguments.optional_text(f"target.{name}", target.get(name)) for name in _PROVIDERS)
    return None, (anthropic, openai, gemini)
