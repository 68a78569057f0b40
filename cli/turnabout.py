"""One key for the other way: a turn that `--thinking auto` chose begins again, thinking or not.

Knows the key and what was chosen. Does not know terminals, nor how a turn is begun.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from qwen3_mlx.cli import wording
from qwen3_mlx.events import Done, Event, Reply, ThinkingChosen

KEY = "t"


class Turnabout:
    """Hears the key while a turn runs that `auto` has decided about.

    Args:
        stop: Ends the turn under way.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._chosen: ThinkingChosen | None = None
        self._running = False
        self._wanted = False

    @property
    def other(self) -> bool | None:
        """Whether the turn is to begin again, thinking (True) or not; None: it stays as it is."""
        return not self._chosen.think if self._chosen and self._wanted else None

    def watched(self, events: Iterable[Event]) -> Iterator[Event]:
        """The events of the turn as they are."""
        for event in events:
            if isinstance(event, ThinkingChosen):
                self._chosen, self._running = event, True
            elif isinstance(event, Done):
                self._running = False
            yield event

    def press(self, key: str) -> bool:
        """Ends the turn if the key says so; whether it did. From any thread."""
        if not self._running or key.lower() != KEY:
            return False
        self._wanted = True
        self._stop()
        return True

    def ending(self, reply: Reply, max_tokens: int | None) -> str | None:
        """What a person should know about the end of the turn; see `wording.ending`."""
        if self.other is not None:
            return wording.again(thinks=self.other)
        return wording.ending(reply, max_tokens)
