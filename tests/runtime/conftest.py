"""Small engines for whole conversations: a random network, and one that follows a script."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from itertools import count
from pathlib import Path
from typing import Any, TypeVar, cast

import mlx.core as mx
import pytest
from mlx.utils import tree_flatten, tree_map
from tokenizers import Tokenizer as Builder
from tokenizers import decoders, models, pre_tokenizers, trainers

from qwen3_mlx.chat import Conversation
from qwen3_mlx.generation.defaults import Defaults
from qwen3_mlx.generation.engine import Engine
from qwen3_mlx.generation.sampling import SamplingOptions
from qwen3_mlx.generation.thinking import ThinkingBudget
from qwen3_mlx.model.cache import KVCache, LayerCache
from qwen3_mlx.model.config import Qwen3Config
from qwen3_mlx.model.qwen3 import Qwen3
from qwen3_mlx.text.pieces import split
from qwen3_mlx.text.qwen3_format import HYBRID
from qwen3_mlx.text.renderer import Renderer
from qwen3_mlx.text.template import ChatTemplate
from qwen3_mlx.text.tokenizer import Tokenizer, load_tokenizer

CONTROLS = [
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"),
    *("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"),
]
CORPUS = [
    "<|im_start|>user\nWhat is 2 + 3?<|im_end|>\n<|im_start|>assistant\nIt is five.<|im_end|>\n",
    "Considering the limited time by the user, I have to give the solution based on the thinking"
    " directly now.",
    "Tom has twelve apples and buys seven more. How many apples has he now? system",
]
T = TypeVar("T")
PADDING = 3
TEMPLATE = Path(__file__).parents[2] / "training" / "chat_template.jinja"
GREEDY = Defaults(64, SamplingOptions(), SamplingOptions())
"""A small model's defaults, as the bundled ones have them."""


@pytest.fixture(scope="session")
def tokenizer_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `tokenizer.json` trained on a few sentences."""
    builder = Builder(models.BPE())
    builder.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    builder.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    builder.train_from_iterator(
        CORPUS, trainers.BpeTrainer(vocab_size=320, initial_alphabet=alphabet, show_progress=False)
    )
    builder.add_special_tokens(CONTROLS)
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    builder.save(str(path))
    return path


@pytest.fixture(scope="session")
def tokenizer(tokenizer_file: Path) -> Tokenizer:
    return load_tokenizer(tokenizer_file.parent)


@pytest.fixture(scope="session")
def config(tokenizer: Tokenizer) -> Qwen3Config:
    return Qwen3Config(
        model_type="qwen3",
        vocab_size=tokenizer.vocab_size + PADDING,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        intermediate_size=64,
        rms_norm_eps=1e-6,
        rope_theta=1e4,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
    )


@pytest.fixture(scope="session")
def random_model(config: Qwen3Config) -> Qwen3:
    """Weights so large that the next token depends on all before it."""
    mx.random.seed(1)
    network = Qwen3(config)
    weights = tree_map(lambda w: 8 * w if w.ndim > 1 else w, dict(network))
    network.update(weights)
    mx.eval(network)
    return network


@pytest.fixture
def checkpoint(
    tmp_path: Path, tokenizer_file: Path, config: Qwen3Config, random_model: Qwen3
) -> Path:
    """The random network as a folder that can be loaded, in Hugging Face's format."""
    weights = dict(tree_flatten(random_model.parameters()))  # type: ignore[no-untyped-call]
    mx.save_safetensors(str(tmp_path / "model.safetensors"), weights)
    fields = {key: value for key, value in asdict(config).items() if value not in (None, ())}
    (tmp_path / "config.json").write_text(json.dumps(fields))
    (tmp_path / "generation_config.json").write_text('{"do_sample": false}')
    (tmp_path / "tokenizer_config.json").write_text('{"eos_token": "<|im_end|>"}')
    shutil.copy(tokenizer_file, tmp_path)
    shutil.copy(TEMPLATE, tmp_path)
    return tmp_path


class Script(Qwen3):
    """Thinks and answers as it was told to, whatever it is asked.

    Attributes:
        read: All ids that are in the cache.
        prefilled: How many ids each call brought.
    """

    def __init__(self, config: Qwen3Config, tokenizer: Tokenizer) -> None:
        super().__init__(config)
        self.read: list[int] = []
        self.prefilled: list[int] = []
        self._tokenizer = tokenizer
        self._answer: list[int] = []
        self._reply: list[int] = []
        self.tell("", "")

    def tell(self, thoughts: str | None, answer: str) -> None:
        """What to say from now on, without a block if there are no thoughts.

        Control tokens are written by name.
        """
        block = "" if thoughts is None else f"<think>\n{thoughts}\n</think>\n\n"
        self._answer = self._ids(f"{answer}<|im_end|>")
        self._reply = [*self._ids(block), *self._answer]

    def last_logits(self, ids: mx.array, cache: Sequence[LayerCache] | None = None) -> mx.array:
        assert cache is not None
        self.advance(ids, cast(Sequence[KVCache], cache))
        return 10.0 * (mx.arange(self.config.vocab_size) == self._next())[None]

    def advance(self, ids: mx.array, cache: Sequence[KVCache]) -> mx.array:
        new = cast(list[int], ids.flatten().tolist())
        self.read = [*self.read[: cache[0].offset], *new]
        self.prefilled.append(len(new))
        for layer in cache:
            layer.update(mx.zeros((1, 1, len(new), 1)), mx.zeros((1, 1, len(new), 1)))
        return ids

    def _ids(self, text: str) -> list[int]:
        return self._tokenizer.encode_pieces(split(text, self._tokenizer.controls.keys()))

    def _next(self) -> int:
        said = self._said()
        if said == self._reply[: len(said)]:
            return at(self._reply, len(said))
        end = self._tokenizer.control.end_think
        if end in said:
            said = said[last_index(said, end) + 1 + len(self._ids("\n\n")) :]
        return at(self._answer, len(said))

    def _said(self) -> list[int]:
        start = last_index(self.read, self._tokenizer.control.im_start)
        return self.read[start + 1 + len(self._ids("assistant\n")) :]


def at(ids: Sequence[T], place: int) -> T:
    """The id there; past the end, the last one."""
    return ids[min(place, len(ids) - 1)]


def last_index(ids: Sequence[int], token: int | None) -> int:
    return max(i for i, other in enumerate(ids) if other == token)


@pytest.fixture
def script(config: Qwen3Config, tokenizer: Tokenizer) -> Script:
    return Script(config, tokenizer)


MakeEngine = Callable[..., Engine]


@pytest.fixture(scope="session")
def make_engine(tokenizer: Tokenizer) -> MakeEngine:
    """An engine around a model; keywords replace its parts, `form` its chat format."""

    def make(model: Qwen3, form: Renderer = HYBRID, **parts: Any) -> Engine:
        ticks = count()
        engine = Engine(
            model=model,
            tokenizer=tokenizer,
            template=ChatTemplate(form),
            defaults=GREEDY,
            context_length=2048,
            clock=lambda: float(next(ticks)),
        )
        return replace(engine, **parts)

    return make


@pytest.fixture
def chat(script: Script, make_engine: MakeEngine) -> Callable[..., Conversation]:
    """Begins a conversation with the scripted model."""

    def begin(budget: int | None = 64, form: Renderer = HYBRID, **wishes: Any) -> Conversation:
        engine = make_engine(script, form)
        return Conversation(engine, budget=ThinkingBudget(budget), **wishes)

    return begin
