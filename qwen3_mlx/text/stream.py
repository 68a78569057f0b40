"""Turn ids into text one at a time, never showing half a character.

Knows bytes and UTF-8. The pieces joined are exactly what decoding all ids at once gives,
at a cost per id that does not grow with the text.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections.abc import Callable

_Utf8Decoder = getincrementaldecoder("utf-8")


class StreamDecoder:
    """Decodes a stream of ids.

    Args:
        token_bytes: The bytes of an id.
        is_control: Whether an id is a control token.
        run_prefix: Bytes to drop at the start of each run of ordinary tokens.
    """

    def __init__(
        self,
        token_bytes: Callable[[int], bytes],
        is_control: Callable[[int], bool],
        run_prefix: bytes = b"",
    ) -> None:
        self._token_bytes = token_bytes
        self._is_control = is_control
        self._run_prefix = run_prefix
        self._utf8 = _Utf8Decoder("replace")
        self._run_starts = True

    @property
    def pending(self) -> bool:
        """Whether the last id ended inside a character."""
        return bool(self._utf8.getstate()[0])

    def push(self, token: int) -> str:
        """The characters that `token` completes; bytes that are no UTF-8 become U+FFFD."""
        data = self._token_bytes(token)
        control = self._is_control(token)
        if self._run_starts and not control:
            data = data.removeprefix(self._run_prefix)
        self._run_starts = control
        return self._utf8.decode(data)

    def flush(self) -> str:
        """What is left at the end of a run: U+FFFD if it broke off inside a character."""
        rest = self._utf8.decode(b"", final=True)
        self._utf8.reset()
        self._run_starts = True
        return rest
