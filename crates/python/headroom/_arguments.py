"""Checks of arguments, and values as JSON."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn, Optional, Union

from . import _native
from ._errors import ConfigError

Lines = Union[str, int, tuple[int, int]]


def refuse(name: str, expected: str, given: object, hint: str = "") -> NoReturn:
    raise TypeError(f"{name}: expected {expected}, not {type(given).__name__}{hint}")


def text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (bytes, bytearray)):
        refuse(name, "str", value, f"; decode it first, as in {name}.decode()")
    refuse(name, "str", value)


def optional_text(name: str, value: Any) -> Optional[str]:
    return None if value is None else text(name, value)


def dumped(name: str, value: Any) -> str:
    """A value as the JSON that an SDK would send; objects of SDKs say themselves what they are."""
    try:
        return json.dumps(value, default=_plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except TypeError as error:
        raise TypeError(f"{name}: cannot be written as JSON: {error}") from None
    except ValueError as error:
        raise ConfigError(f"{name}: cannot be written as JSON: {error}") from None


def _plain(value: Any) -> Any:
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        return dump(mode="json", exclude_unset=True)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a value of type {type(value).__name__}")


def config(value: Any) -> Optional[str]:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        refuse("compression_config", 'a dict such as {"json": {"threshold": 1000}}', value)
    return dumped("compression_config", value)


def switch(name: str, value: Any) -> Optional[bool]:
    if value is None or isinstance(value, bool):
        return value
    refuse(name, "True or False", value)


def whole(name: str, value: Any, least: int, most: int) -> Optional[int]:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        refuse(name, "int", value)
    if not least <= value <= most:
        raise ConfigError(f"{name}: expected {least} to {most}, not {value}")
    return value


def lines(value: Optional[Lines]) -> Optional[tuple[int, int]]:
    if value is None:
        return None
    if isinstance(value, str):
        parsed = _native.parse_lines(value)
        if parsed is None:
            raise ConfigError(f"lines: {value!r} is no range of lines; write '120-180', (120, 180) or 120")
        return parsed
    ends = (value, value) if isinstance(value, int) else value
    if isinstance(value, bool) or not isinstance(ends, (tuple, list)) or len(ends) != 2:
        refuse("lines", "'120-180', (120, 180) or 120", value)
    first, last = (whole("lines", end, 1, 1 << 53) for end in ends)
    if first is None or last is None:
        refuse("lines", "'120-180', (120, 180) or 120", value)
    return first, last


def settings(
    store: Any, tenant: Any, project: Any, compression_config: Any, policy: Any, retrieval: Any, ccr_enabled: Any
) -> tuple[
    Optional[str], Optional[str], Optional[str], Optional[str], Optional[str], Optional[str], Optional[bool]
]:
    if hasattr(store, "__fspath__"):
        store = store.__fspath__()
    return (
        optional_text("store", store),
        optional_text("tenant", tenant),
        optional_text("project", project),
        config(compression_config),
        optional_text("policy", policy),
        optional_text("retrieval", retrieval),
        switch("ccr_enabled", ccr_enabled),
    )
