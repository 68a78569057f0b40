"""A region at the end of the screen that is redrawn in place, with lines printed above it.

Knows Rich's live display, and that printing and redrawing come from two threads.
"""

from __future__ import annotations

from rich.console import Console, RenderableType
from rich.live import Live

_REFRESHES = 12  # a second


class Region(Live):
    """Shows `content` as it is at every refresh, and leaves nothing behind.

    Args:
        content: Rendered anew each time.
        console: Of the screen.
    """

    def __init__(self, content: RenderableType, console: Console) -> None:
        super().__init__(
            content,
            console=console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            refresh_per_second=_REFRESHES,
        )

    def print_above(self, content: RenderableType) -> None:
        """Prints what is to stay. Never between the two halves of a redraw."""
        with self._lock:
            self.console.print(content, soft_wrap=True)
