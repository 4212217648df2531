"""Everything an agent reads, shorter, without losing anything.

- ``compress``: one text.
- ``Headroom``: texts and conversations with a store that keeps what is left out, and gives it back.
- ``wrap``: an official Anthropic or OpenAI client whose requests are made shorter on their way.
- ``HeadroomProxy``: the same for every other client, as an HTTP proxy inside this process.
"""

from importlib.metadata import version as _version

from ._errors import ClosedError, ConfigError, HandleError, HeadroomError, ProxyError, StoreError
from ._library import CompressedMessages, Headroom, compress
from ._native import CompressResult, Omission
from ._proxy import HeadroomProxy
from ._wrap import wrap

__version__ = _version("headroom")

__all__ = [
    "ClosedError",
    "CompressResult",
    "CompressedMessages",
    "ConfigError",
    "HandleError",
    "Headroom",
    "HeadroomError",
    "HeadroomProxy",
    "Omission",
    "ProxyError",
    "StoreError",
    "compress",
    "wrap",
]
