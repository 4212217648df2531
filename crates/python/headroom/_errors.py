"""What can go wrong, by what the caller can do about it."""


class HeadroomError(Exception):
    """Everything that Headroom raises by itself; wrong types of arguments are a ``TypeError``."""


class ConfigError(HeadroomError, ValueError):
    """An argument or a setting has a value that it cannot have."""


class HandleError(HeadroomError, LookupError):
    """A handle or request id that is not one, or that names nothing here."""


class StoreError(HeadroomError):
    """The store cannot be opened, read or written."""


class ClosedError(HeadroomError):
    """What was called has been closed, or has not been started."""


class ProxyError(HeadroomError):
    """The proxy could not be started."""
