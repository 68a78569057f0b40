"""A tokenizer whose ordinary ids are the 256 bytes, and models that follow a script."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable

import pytest
from tokenizers import Tokenizer as Builder
from tokenizers import decoders, models, pre_tokenizers

from qwen3_mlx.generation.steps import Judge, Part, TokenSource, TokenStep
from qwen3_mlx.text.tokenizer import Tokenizer, load_tokenizer

CONTROLS = [
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"),
    *("<tool_call>", "</tool_call>"),
]


@pytest.fixture(scope="session")
def byte_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """Every byte is a token: ids 0 to 255 are not the bytes themselves, see `token_bytes`."""
    directory = tmp_path_factory.mktemp("bytes")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    builder = Builder(models.BPE({symbol: i for i, symbol in enumerate(alphabet)}, []))
    builder.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    builder.decoder = decoders.ByteLevel()
    builder.add_special_tokens(CONTROLS)
    builder.save(str(directory / "tokenizer.json"))
    return load_tokenizer(directory)


Script = Callable[[Iterable[int]], TokenSource]


@pytest.fixture(scope="session")
def scripted(byte_tokenizer: Tokenizer) -> Script:
    """A model that would say just these ids; as in sampling, `<think>` can only come first."""

    def follow(ids: Iterable[int]) -> TokenSource:
        think = byte_tokenizer.control.think

        def source(judge: Judge) -> Generator[TokenStep, None, None]:
            for i, token in enumerate(ids):
                if token == think and i > 0:
                    continue
                verdict = judge(token)
                if verdict.part is not Part.DROPPED:
                    yield TokenStep(token, verdict.part)
                if verdict.last:
                    return
                for injected in verdict.inject:
                    yield TokenStep(injected, Part.INJECTED)

        return source

    return follow
