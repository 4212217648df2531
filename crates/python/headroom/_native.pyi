"""The compiled half. Use what ``headroom`` exports."""

from typing import Optional, final

_Settings = tuple[
    Optional[str], Optional[str], Optional[str], Optional[str], Optional[str], Optional[str], Optional[bool]
]

@final
class Omission:
    """A run of units that a compressed text does not show."""

    @property
    def unit(self) -> str:
        """``line``, ``row``, ``key``, ``sentence`` or ``byte``."""

    @property
    def first(self) -> int:
        """The first unit left out, from 1."""

    @property
    def last(self) -> int:
        """The last unit left out."""

    @property
    def count(self) -> int:
        """How many are left out."""

    @property
    def total(self) -> int:
        """How many there were."""

@final
class CompressResult:
    """A text and what became of it."""

    @property
    def text(self) -> str:
        """The text to read: shorter, or the one that was given."""

    @property
    def kind(self) -> str:
        """What it was found to be: ``json``, ``log``, ``code:python`` and so on."""

    @property
    def compressor(self) -> Optional[str]:
        """The compressor that was asked."""

    @property
    def exact(self) -> bool:
        """Whether the text holds everything that the original holds."""

    @property
    def tokens_before(self) -> int:
        """Tokens of the original."""

    @property
    def tokens_after(self) -> int:
        """Tokens of the text."""

    @property
    def handle(self) -> Optional[str]:
        """Where the original is, when something was left out."""

    @property
    def omissions(self) -> list[Omission]:
        """What was left out, in order."""

    @property
    def reason(self) -> str:
        """Why, as a stable code: ``compressed``, ``no-gain``, ``below-floor``, ``policy`` and so on."""

@final
class Library:
    def __new__(cls, settings: _Settings) -> Library: ...
    def prepare(
        self, dialect: str, messages: str, system: Optional[str], tools: Optional[str], model: Optional[str]
    ) -> tuple[str, Optional[str], bool, str, int, int]: ...
    def retrieve(
        self, handle: str, lines: Optional[tuple[int, int]], pattern: Optional[str], json_path: Optional[str]
    ) -> str: ...
    def answer(self, arguments: str) -> str: ...
    def explain(self, id: str) -> str: ...
    def loopback(self, upstream: str) -> tuple[str, str]: ...
    def close(self) -> None: ...

@final
class Proxy:
    def __new__(
        cls,
        settings: _Settings,
        target: Optional[str],
        targets: tuple[Optional[str], Optional[str], Optional[str]],
        host: Optional[str],
        port: Optional[int],
        token: Optional[str],
        align: Optional[str],
    ) -> Proxy: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def url(self) -> str: ...
    def stats(self, hours: Optional[int]) -> str: ...

def compress(
    library: Optional[Library],
    text: str,
    kind: str,
    level: str,
    query: Optional[str],
    tool: Optional[str],
    command: Optional[str],
    path: Optional[str],
    model: Optional[str],
) -> CompressResult: ...
def nearest(given: str, known: list[str]) -> Optional[str]: ...
def seconds_in_rust(text: str, rounds: int) -> list[float]: ...
def parse_lines(lines: str) -> Optional[tuple[int, int]]: ...
