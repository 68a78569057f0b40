"""One decode step as a single compiled graph.

Knows how the caches of all layers pass through a compiled function, and when it must be made anew.
Does not know tokens' meaning, nor when compiling pays: on the CPU backend it takes a C++ compiler
some seconds, once on a machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import mlx.core as mx

from qwen3_mlx.model.cache import KVCache
from qwen3_mlx.model.device import on_gpu
from qwen3_mlx.model.qwen3 import Qwen3

# The graph attends to so many tokens, rounded up, whatever is held: one graph serves them all. The
# CPU backend pays for each; making the graph anew costs about as much as a token.
GPU_WINDOW = 256
CPU_WINDOW = 64

Buffers: TypeAlias = list[mx.array]
"""Keys and values of the first layer, of the second, and so on."""


class StepCache:
    """What one layer of the graph sees of its cache: arrays of a fixed length, and how far.

    Args:
        keys: [B, kv_heads, room, head_dim]; so are the values.
        offset: Tokens held, int [].
        window: Tokens looked at; those past `offset` do not count.
    """

    def __init__(self, keys: mx.array, values: mx.array, offset: mx.array, window: int) -> None:
        self.keys, self.values = keys, values
        self.offset = offset
        self._window = window

    def attend(self, queries: mx.array, keys: mx.array, values: mx.array, scale: float) -> mx.array:
        """As :meth:`LayerCache.attend`, for one token."""
        self.keys = mx.slice_update(self.keys, keys, self.offset, axes=(2,))
        self.values = mx.slice_update(self.values, values, self.offset, axes=(2,))
        mixed: mx.array = mx.fast.scaled_dot_product_attention(
            queries,
            self.keys[..., : self._window, :],
            self.values[..., : self._window, :],
            scale=scale,
            mask=mx.arange(self._window) <= self.offset,
        )
        return mixed


class CompiledStep:
    """A token in, the logits of the next one out.

    Args:
        model: Of whose weights the graph is made; they may not change afterwards.
    """

    def __init__(self, model: Qwen3) -> None:
        self._model = model
        self._window = GPU_WINDOW if on_gpu() else CPU_WINDOW
        self._run: Callable[..., tuple[mx.array, Buffers]] = mx.compile(self._graph)

    def __call__(self, token: mx.array, cache: Sequence[KVCache]) -> mx.array:
        """Append `token` int [B] to the caches; logits [B, V]."""
        held = cache[0].offset
        window = -(-(held + 1) // self._window) * self._window
        buffers = [part for layer in cache for part in layer.lend(window)]
        try:
            for layer in cache:
                layer.let_go()
            logits, buffers = self._run(token, mx.array(held), buffers, window)
            held += 1
            _give_back(cache, buffers, held)
        except BaseException:  # Ctrl-C in the middle of giving back, too
            _give_back(cache, buffers, held)
            raise
        return logits

    def _graph(
        self, token: mx.array, held: mx.array, buffers: Buffers, window: int
    ) -> tuple[mx.array, Buffers]:
        pairs = zip(buffers[::2], buffers[1::2], strict=True)
        cache = [StepCache(keys, values, held, window) for keys, values in pairs]
        logits = self._model.last_logits(token[:, None], cache)
        return logits, [part for layer in cache for part in (layer.keys, layer.values)]


def _give_back(cache: Sequence[KVCache], buffers: Buffers, held: int) -> None:
    for layer, keys, values in zip(cache, buffers[::2], buffers[1::2], strict=True):
        layer.give_back(keys, values, held)


def compile_step(model: Qwen3) -> None:
    """Let the model decode by a compiled graph from now on, made at the first token."""
    model.compiled = CompiledStep(model)
