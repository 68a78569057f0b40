"""The whole network: token ids in, logits out.

Knows embedding, layers and head; parameter names equal Hugging Face's, with expert weights
stacked under ``mlp.switch_mlp`` as mlx-lm stacks them. Does not load weights or choose tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import mlx.core as mx

from qwen3_mlx.errors import UsageError, check_type, shown
from qwen3_mlx.model.cache import KVCache, LayerCache
from qwen3_mlx.model.config import Qwen3Config
from qwen3_mlx.model.layers import DecoderLayer
from qwen3_mlx.model.modules import Embedding, Linear, Module, RMSNorm
from qwen3_mlx.model.rope import Rope


class Decoder(Module):
    """Embedding, layers and the final norm."""

    def __init__(self, config: Qwen3Config) -> None:
        super().__init__()
        rope = Rope(config)
        self.embed_tokens = Embedding(config.vocab_size, config.hidden_size)
        self.layers = [DecoderLayer(config, rope, n) for n in range(config.num_hidden_layers)]
        self.norm = RMSNorm(config.hidden_size, eps=config.rms_norm_eps)

    def __call__(
        self, ids: mx.array, cache: Sequence[LayerCache] | None, last: int | None = None
    ) -> mx.array:
        """Ids [B, L] -> hidden states [B, L, hidden] before the final norm.

        With ``last``, those of so many last positions alone: the last layer leaves out the rest.

        The norms tell the compute type: a micro-scaled embedding (mxfp4, mxfp8, nvfp4) has no
        floating-point numbers that could, and MLX then makes bfloat16 of it.
        """
        x: mx.array = self.embed_tokens(ids).astype(self.norm.weight.dtype)
        caches = [None] * len(self.layers) if cache is None else cache
        *layers, final = zip(self.layers, caches, strict=True)
        for layer, layer_cache in layers:
            x = layer(x, layer_cache)
        final_layer, final_cache = final
        return final_layer(x, final_cache, last)


class Qwen3(Module):
    """A Qwen3 language model, dense or mixture-of-experts.

    Ids outside the vocabulary are the caller's to refuse (:func:`check_ids`): MLX reads past
    the embedding without an error. With a cache, the ids follow those that it holds.

    Args:
        config: Sizes and switches. Weights start random; load a checkpoint's over them.
    """

    compiled: Callable[[mx.array, Sequence[KVCache]], mx.array] | None = None
    layer_cache: Callable[[], KVCache] = KVCache

    def __init__(self, config: Qwen3Config) -> None:
        super().__init__()
        self.config = config
        self.model = Decoder(config)
        if not config.tie_word_embeddings:
            self.lm_head = Linear(config.hidden_size, config.vocab_size, bias=False)

    def __call__(self, ids: mx.array, cache: Sequence[LayerCache] | None = None) -> mx.array:
        """Ids [B, L] -> logits [B, L, vocab]."""
        return self._head(self.model(ids, cache))

    def last_logits(self, ids: mx.array, cache: Sequence[LayerCache] | None = None) -> mx.array:
        """Ids [B, L] -> logits [B, vocab] of the last position alone."""
        return self._head(self.model(ids, cache, last=1)[:, -1])

    def make_cache(self) -> list[KVCache]:
        """An empty cache for each layer, of the kind that `layer_cache` makes."""
        return [self.layer_cache() for _ in self.model.layers]

    def next_logits(self, token: mx.array, cache: Sequence[KVCache]) -> mx.array:
        """One token int [B] more -> logits [B, vocab]; compiled, where `compile_step` says so."""
        if self.compiled is not None and type(cache[0]) is KVCache:
            return self.compiled(token, cache)
        return self.last_logits(token[:, None], cache)

    def advance(self, ids: mx.array, cache: Sequence[KVCache]) -> mx.array:
        """Read ids [B, L] into the cache and compute no logits.

        Returns:
            An array to give to ``mx.eval``. It stands for the cache alone, so MLX leaves out the
            last layer's attention and MLP, which only logits would need.
        """
        self.model(ids, cache)
        first, *others = cache[-1].buffers
        held: mx.array = mx.depends(first, others)
        return held

    def _head(self, x: mx.array) -> mx.array:
        x = self.model.norm(x)
        if self.config.tie_word_embeddings:
            logits: mx.array = self.model.embed_tokens.as_linear(x)  # type: ignore[no-untyped-call]
            return logits
        return self.lm_head(x)


def check_ids(ids: Iterable[int], config: Qwen3Config) -> None:
    """Refuse token ids that the model has no embedding for.

    Raises:
        UsageError: Names the first such id.
    """
    for token in ids:
        check_type("a token id", token, int)
        if not 0 <= token < config.vocab_size:
            raise UsageError(
                f"token id {shown(token)} is outside the model's vocabulary of {config.vocab_size}",
                hint="The tokenizer probably belongs to another model.",
            )
