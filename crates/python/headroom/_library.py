"""Texts and conversations."""

import atexit
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from types import TracebackType
from typing import Any, Optional, Union

from . import _arguments, _native
from ._arguments import Lines


def compress(
    text: str,
    kind: str = "auto",
    level: str = "standard",
    *,
    query: Optional[str] = None,
    tool: Optional[str] = None,
    command: Optional[str] = None,
    path: Optional[str] = None,
    model: Optional[str] = None,
    store: "Optional[Headroom]" = None,
) -> _native.CompressResult:
    """Makes a text shorter.

    Without a ``store`` only encodings are used that hold everything, whatever the level: what is left out must be kept somewhere, or nobody could
    read it back. With one, ``level`` says how far to go: ``lossless``, ``light`` (code without comments) or ``standard``.

    ``kind`` is ``auto``, ``json``, ``table``, ``log``, ``command``, ``search``, ``diff``, ``html``, ``prose`` or ``code:LANGUAGE``. ``query`` says what
    the reader is after; ``tool``, ``command`` and ``path`` where the text comes from; ``model`` whose tokens are counted.

    Raises ``TypeError``, ``ConfigError`` and, for a store that is closed, ``ClosedError``. A store that cannot keep the original costs the savings:
    the text comes back as it was, with ``reason`` ``store-failed``.
    """
    if store is not None and not isinstance(store, Headroom):
        _arguments.refuse("store", "a Headroom, as in compress(text, store=Headroom())", store)
    return _native.compress(
        None if store is None else store._library,
        _arguments.text("text", text),
        _arguments.text("kind", kind),
        _arguments.text("level", level),
        _arguments.optional_text("query", query),
        _arguments.optional_text("tool", tool),
        _arguments.optional_text("command", command),
        _arguments.optional_text("path", path),
        _arguments.optional_text("model", model),
    )


@dataclass(frozen=True)
class CompressedMessages:
    """A conversation as it is to be sent."""

    messages: list[Any]
    """The messages. Those that nothing was changed in are the objects that were given."""
    tools: Optional[list[Any]]
    """The tools, with ``retrieve_original_content`` where the model may ask for what was left out."""
    tool_offered: bool
    """Whether calls of that tool must be answered with ``Headroom.answer``."""
    id: str
    """Under which ``Headroom.explain`` knows it."""
    tokens_before: int
    """Tokens that the changed texts had."""
    tokens_after: int
    """Tokens that they have."""


class Headroom:
    """The engine on a store. May be used by several threads at once, and as a context manager.

    ``store`` is ``"memory"``, ``"sqlite:///absolute/path"``, a path or ``"postgres://user:password@host/database"``; by default it is the user's own store,
    which the proxy and the command line share. Where several share a store, ``tenant`` and ``project`` say whose the originals are: nobody reads those of
    another. ``policy`` is ``off``, ``meter``, ``lossless`` or ``standard``; ``retrieval`` says when the retrieval tool is offered in conversations:
    ``auto``, ``always`` or ``never``, for which ``ccr_enabled=False`` is another word.

    ``compression_config`` has settings by kind of text, ``{"json": {"threshold": 1000}}``: ``compressor``, ``enabled``, ``threshold`` in tokens, ``level``;
    ``languages`` for ``code`` and ``ratio`` for ``prose``.
    """

    def __init__(
        self,
        store: "Optional[Union[str, PathLike[str]]]" = None,
        *,
        compression_config: Optional[Mapping[str, Mapping[str, Any]]] = None,
        policy: Optional[str] = None,
        retrieval: Optional[str] = None,
        ccr_enabled: Optional[bool] = None,
        tenant: Optional[str] = None,
        project: Optional[str] = None,
    ) -> None:
        self._library = _native.Library(
            _arguments.settings(store, tenant, project, compression_config, policy, retrieval, ccr_enabled)
        )

    def compress(
        self,
        text: str,
        kind: str = "auto",
        level: str = "standard",
        *,
        query: Optional[str] = None,
        tool: Optional[str] = None,
        command: Optional[str] = None,
        path: Optional[str] = None,
        model: Optional[str] = None,
    ) -> _native.CompressResult:
        """``compress`` with this store: what is left out is kept in it when this returns."""
        return compress(
            text, kind, level, query=query, tool=tool, command=command, path=path, model=model, store=self
        )

    def compress_messages(
        self,
        messages: Sequence[Any],
        dialect: str = "anthropic",
        *,
        system: Any = None,
        tools: Optional[Sequence[Any]] = None,
        model: Optional[str] = None,
    ) -> CompressedMessages:
        """Makes the tool results of a conversation shorter, the same way on every turn.

        ``dialect`` is ``anthropic``, ``openai``, ``openai-responses`` (``messages`` is its ``input``, ``system`` its ``instructions``) or ``gemini`` (``contents`` and
        ``systemInstruction``). Messages are what the provider's SDK takes, its own objects included. Pass ``system``, ``tools`` and ``model`` as you send
        them. Whole units are left out only where ``tools`` are given: send the tools that come back, and where ``tool_offered`` is set answer calls of
        ``retrieve_original_content`` with ``answer``. ``wrap`` does all of that by itself.
        """
        if isinstance(messages, (str, bytes)) or not isinstance(messages, Sequence):
            _arguments.refuse("messages", "a list, as it is passed to the provider's SDK", messages)
        given = _arguments.dumped("messages", list(messages))
        sent, sent_tools, offered, id, before, after = self._library.prepare(
            _arguments.text("dialect", dialect),
            given,
            None if system is None else _arguments.dumped("system", system),
            None if tools is None else _arguments.dumped("tools", list(tools)),
            _arguments.optional_text("model", model),
        )
        return CompressedMessages(
            messages=_kept(messages, json.loads(given), json.loads(sent)),
            tools=None if sent_tools is None else _kept(tools or (), tools or (), json.loads(sent_tools)),
            tool_offered=offered,
            id=id,
            tokens_before=before,
            tokens_after=after,
        )

    def retrieve(
        self,
        id: str,
        lines: Optional[Lines] = None,
        *,
        pattern: Optional[str] = None,
        json_path: Optional[str] = None,
    ) -> str:
        """What was left out, given back: the whole original of a handle, some of its lines (``"120-180"``, ``(120, 180)`` or ``120``), the lines that match a
        regular expression, or what a JSONPath selects. Raises ``HandleError`` where the handle names nothing in this store."""
        return self._library.retrieve(
            _arguments.text("id", id),
            _arguments.lines(lines),
            _arguments.optional_text("pattern", pattern),
            _arguments.optional_text("json_path", json_path),
        )

    def answer(self, arguments: Union[str, Mapping[str, Any]]) -> str:
        """What the model gets for its call of ``retrieve_original_content``: a page of the original, or a sentence that says what to do instead."""
        if not isinstance(arguments, str):
            if not isinstance(arguments, Mapping):
                _arguments.refuse("arguments", "the arguments of the call, as a dict or as JSON", arguments)
            arguments = _arguments.dumped("arguments", arguments)
        return self._library.answer(arguments)

    def explain(self, id: str) -> dict[str, Any]:
        """How a request (by its id) or the text of a handle was treated and why: ``request`` is the receipt, or ``None`` where a text was compressed by
        itself; ``original`` says of a handle what is kept."""
        explained: dict[str, Any] = json.loads(self._library.explain(_arguments.text("id", id)))
        return explained

    def close(self) -> None:
        """Stops what ``wrap`` started and closes the store. Closing again does nothing."""
        self._library.close()

    def __enter__(self) -> "Headroom":
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()


def _kept(given: Sequence[Any], plain: Sequence[Any], sent: list[Any]) -> list[Any]:
    """What is to be sent, with the caller's own objects wherever nothing was changed."""
    if len(given) > len(sent):
        return sent
    same = [ours is not None and i < len(given) and plain[i] == ours for i, ours in enumerate(sent)]
    return [given[i] if same[i] else ours for i, ours in enumerate(sent)]


_default: Optional[Headroom] = None
_default_lock = threading.Lock()


def default_headroom() -> Headroom:
    """The library on the user's own store, opened when it is first needed and closed when the process ends."""
    global _default
    with _default_lock:
        if _default is None:
            _default = Headroom()
            atexit.register(_default.close)
        return _default

