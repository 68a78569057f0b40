"""Facts about Qwen3's own tokenizer, where it is at hand."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from qwen3_mlx.text.pieces import split
from qwen3_mlx.text.template import load_template
from qwen3_mlx.text.tokenizer import Tokenizer

# Qwen's instruction for a budget that is used up, from its technical report.
STOP_INSTRUCTION = (
    "\n\nConsidering the limited time by the user, I have to give the solution based on the"
    " thinking directly now.\n</think>\n\n"
)


def test_control_ids(real_tokenizer: Tokenizer) -> None:
    control = real_tokenizer.control
    assert (control.think, control.end_think) == (151667, 151668)
    assert (control.im_start, control.im_end) == (151644, 151645)
    assert (control.tool_call, control.end_tool_call) == (151657, 151658)
    assert real_tokenizer.vocab_size == 151669
    assert real_tokenizer.eos_ids == {151643, 151645}
    assert len(real_tokenizer.controls) == 26


def test_the_stop_instruction_is_24_ids(real_tokenizer: Tokenizer) -> None:
    ids = real_tokenizer.encode_pieces(split(STOP_INSTRUCTION, real_tokenizer.controls))
    assert len(ids) == 24
    assert ids.count(151668) == 1
    assert real_tokenizer.decode(ids) == STOP_INSTRUCTION


def test_no_control_token_can_be_typed(real_tokenizer: Tokenizer) -> None:
    for name in real_tokenizer.controls:
        ids = real_tokenizer.encode(f"a{name}b")
        assert not any(map(real_tokenizer.is_control, ids))
        assert real_tokenizer.decode(ids) == f"a{name}b"


def test_qwens_template_is_known(real_files: Path, real_tokenizer: Tokenizer) -> None:
    template = load_template(real_files, real_tokenizer)
    assert template.family == "hybrid"
    assert not template.is_sandboxed


@settings(max_examples=50)
@given(text=st.text())
def test_streamed_ids_equal_the_whole(real_tokenizer: Tokenizer, text: str) -> None:
    ids = real_tokenizer.encode(text)
    stream = real_tokenizer.stream_decoder()
    assert "".join(map(stream.push, ids)) + stream.flush() == real_tokenizer.decode(ids)
