"""`ask` through plain pipes: what goes where, to the letter."""

from __future__ import annotations

import json

import pytest

from qwen3_mlx.errors import ModelFileError, ModelNotFoundError, NonFiniteError, UsageError
from tests.cli.conftest import Invoke
from tests.cli.fakes import FakeLLM, answers, stops, thinks

SUM = "47 + 86 = 133\n133 + 12 = 145"


def test_the_answer_alone_is_on_stdout(invoke: Invoke, llm: FakeLLM) -> None:
    llm.enqueue(thinks("47 + 86 = 133", "\n", "133 + 12 = 145"), stops(), answers("\n\n", "145"))
    result = invoke("ask", "What is 47 + 86 + 12?")
    assert result.stdout == "145\n"
    assert result.stderr == (
        "[thinking 2/512] 47 + 86 = 133\n"
        "[thinking 3/512] 133 + 12 = 145\n"
        "[thought for 3.2 s · 118 of 512 tokens · stopped by itself]\n"
        "[7 tokens · 43 tok/s · first token after 0.25 s]\n"
    )
    assert result.exit_code == 0


def test_prompt_and_piped_text_are_joined_and_only_the_prompt_is_typed(
    invoke: Invoke, llm: FakeLLM
) -> None:
    llm.enqueue(answers("41"))
    invoke("ask", "What is the code of Ann?", stdin="The code of Ann is 41. /no_think\n")
    asked = (
        "The code of Ann is 41. /no_think\n\nWhat is the code of Ann?",
        "What is the code of Ann?",
    )
    assert llm.conversation.asked == [asked]


def test_piped_text_alone_is_a_question(invoke: Invoke, llm: FakeLLM) -> None:
    llm.enqueue(answers("5"))
    assert invoke("ask", stdin="What is 2 + 3?\n").stdout == "5\n"
    assert llm.conversation.asked == [("What is 2 + 3?", "")]


def test_json_is_one_object(invoke: Invoke, llm: FakeLLM) -> None:
    llm.enqueue(thinks("2 + 3", " = 5"), stops("budget", 2), answers("5"))
    result = invoke("ask", "What is 2 + 3?", "--json")
    assert json.loads(result.stdout) == {
        "model": "tiny",
        "answer": "5",
        "thinking": "2 + 3 = 5",
        "stop_thinking": "budget",
        "finish_reason": "stop",
        "usage": {
            "prompt_tokens": 20,
            "cached_tokens": 0,
            "thinking_tokens": 2,
            "injected_tokens": 0,
            "answer_tokens": 7,
            "drafted_tokens": 0,
            "accepted_tokens": 0,
            "probed_tokens": 0,
        },
        "timing": {
            "load_seconds": 0.0,
            "first_token_seconds": 0.25,
            "prefill_seconds": 0.0,
            "decode_seconds": 0.0,
            "prefill_tokens_per_second": 0.0,
            "decode_tokens_per_second": 43.2,
            "peak_memory_bytes": 0,
        },
        "auto": None,
    }
    assert result.stderr.startswith("[thinking 2/512] 2 + 3 = 5\n[thought for 3.2 s")


def test_json_keeps_every_character_and_is_safe_to_print(invoke: Invoke, llm: FakeLLM) -> None:
    answer = "\x1b[31mred \x9b2J \u202e \x7f 👩‍👧"
    llm.enqueue(answers(answer))
    result = invoke("ask", "Paint", "--json")
    assert json.loads(result.stdout)["answer"] == answer
    assert not set("\x1b\x9b\u202e\x7f") & set(result.stdout)
    assert "👩‍👧" in result.stdout


def test_a_hostile_answer_reaches_the_screen_harmless(invoke: Invoke, llm: FakeLLM) -> None:
    llm.enqueue(thinks("\x1b]0;", "owned\x07x", "\n"), stops(), answers("\x1b", "[2Jsafe", "\r"))
    result = invoke("ask", "Attack")
    assert result.stdout == "safe\n"
    assert result.stderr.startswith("[thinking 3/512] x\n[thought")


@pytest.mark.parametrize(
    ("args", "wishes"),
    [
        ([], {}),
        (["--budget", "64"], {"budget": 64}),
        (["-b", "none"], {"budget": None}),
        (["-b", "0"], {"budget": 0}),
        (["--thinking", "off"], {"thinking": False}),
        (["--think"], {"thinking": True}),
        (["--thinking", "off", "--no-think"], {"thinking": False}),
        (["--system", "Be brief."], {"system": "Be brief."}),
        (
            ["--temp", "0.5", "--top-p", "0.9", "--top-k", "7", "--min-p", "0.1", "--seed", "3"],
            {"temp": 0.5, "top_p": 0.9, "top_k": 7, "min_p": 0.1, "seed": 3},
        ),
        (["--temp", "0", "--max-tokens", "99"], {"temp": 0.0, "max_tokens": 99}),
    ],
)
def test_options_reach_the_model(
    invoke: Invoke, llm: FakeLLM, args: list[str], wishes: dict[str, object]
) -> None:
    llm.enqueue(answers("5"))
    assert invoke("ask", "2 + 3?", *args).exit_code == 0
    assert llm.wishes == wishes


def test_what_a_model_is_loaded_with(invoke: Invoke, llm: FakeLLM) -> None:
    llm.enqueue(answers("5"))
    args = ["-m", "./mine", "--context", "65536", "--expert-memory", "40%", "--offline"]
    invoke("ask", "2 + 3?", *args, "--draft", "0.6b", "--save-cache", "--kv-bits", "8")
    assert llm.loaded == {
        "name": "./mine",
        "context": 65536,
        "expert_memory": "40%",
        "draft": "0.6b",
        "kv_bits": 8,
        "max_kv": None,
        "offline": True,
        "save_cache": True,
        "wired": False,
    }


def test_experts_on_disk_are_told(invoke: Invoke, llm: FakeLLM) -> None:
    llm.expert_slots = 51
    llm.enqueue(answers("5"))
    said = invoke("ask", "2 + 3?", "--expert-memory", "40%").stderr
    assert "[51 of the 128 experts of each layer are in memory; the others are read" in said


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--budget", "many"], "'many' is no thinking budget"),
        (["--budget", "-1"], "'-1' is no thinking budget"),
        (["--budget", "1.5"], "'1.5' is no thinking budget"),
        (["--thinking", "maybe"], "'--thinking': 'maybe' is not one of 'on', 'off', 'auto'"),
        (["--think", "--thinking", "off"], "--thinking off contradicts --think"),
        (["--max-tokens", "0"], "--max-tokens"),
        (["--top-p", "1.5"], "--top-p"),
        (["--temp", "warm"], "--temp"),
        (["--bugdet", "5"], "--budget"),
    ],
)
def test_a_wrong_option_is_named(invoke: Invoke, llm: FakeLLM, args: list[str], said: str) -> None:
    result = invoke("ask", "2 + 3?", *args)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_limits_that_contradict_each_other_are_called_by_their_flags(
    invoke: Invoke, llm: FakeLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    def chat(**wishes: object) -> None:
        raise UsageError("max_tokens 50 is too small", hint="Use max_tokens of 173 or more.")

    monkeypatch.setattr(llm, "chat", chat)
    assert invoke("ask", "2 + 3?", "--max-tokens", "50").stderr == (
        "Error: --max-tokens 50 is too small\nUse --max-tokens of 173 or more.\n"
    )


def test_nothing_to_ask(invoke: Invoke, llm: FakeLLM) -> None:
    result = invoke("ask", stdin="\n")
    assert result.exit_code == 2
    assert result.stderr == (
        'Error: there is nothing to ask\nTry: qwen3-mlx ask "What is 2 + 3?"\n'
    )


def test_piped_bytes_that_are_no_text(invoke: Invoke, llm: FakeLLM) -> None:
    result = invoke("ask", "Summarize", stdin=b"\xff\xfe\x00")
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: the piped input is not UTF-8 text: byte 0xff\n"
        "Convert it first, for example with iconv -t UTF-8.\n"
    )


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ModelNotFoundError("8b is not here", hint="Fetch it: qwen3-mlx pull 8b"), 3),
        (ModelFileError("model.safetensors: truncated", hint="Fetch it again."), 5),
        (NonFiniteError("the logits are not finite", hint="Fetch it again."), 5),
    ],
)
def test_an_error_is_a_message_a_hint_and_a_code(
    invoke: Invoke, llm: FakeLLM, error: ModelFileError | ModelNotFoundError, code: int
) -> None:
    llm.enqueue([error])
    result = invoke("ask", "2 + 3?")
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr == f"Error: {error.message}\n{error.hint}\n"


@pytest.mark.parametrize("form", [[], ["--json"], ["--jsonl"]])
def test_quiet_says_nothing_but_errors(invoke: Invoke, llm: FakeLLM, form: list[str]) -> None:
    for _ in range(2):
        llm.enqueue(thinks("2 + 3\n"), stops(), answers("5"))
    result = invoke("ask", "2 + 3?", "--quiet", *form)
    assert result.stderr == ""
    assert result.stdout == invoke("ask", "2 + 3?", *form).stdout


def test_quiet_keeps_the_hint_of_an_error(invoke: Invoke, llm: FakeLLM) -> None:
    llm.enqueue([ModelFileError("model.safetensors: truncated", hint="Fetch it again.")])
    result = invoke("ask", "2 + 3?", "-q")
    assert result.stderr == "Error: model.safetensors: truncated\nFetch it again.\n"


def test_an_error_after_half_an_answer_keeps_the_half(invoke: Invoke, llm: FakeLLM) -> None:
    llm.enqueue(answers("The answer"), [NonFiniteError("the logits are not finite")])
    result = invoke("ask", "2 + 3?")
    assert (result.stdout, result.exit_code) == ("The answer\n", 5)


def test_an_answer_without_room_says_so(invoke: Invoke, llm: FakeLLM) -> None:
    llm.conversation.finish_reason = "length"
    llm.enqueue(answers("once upon a"))
    assert "[cut off: the context is full]\n" in invoke("ask", "A tale").stderr


def test_an_answer_that_max_tokens_cuts_off_says_so(invoke: Invoke, llm: FakeLLM) -> None:
    llm.conversation.finish_reason = "length"
    llm.enqueue(answers("once upon a"))
    said = invoke("ask", "A tale", "--max-tokens", "7").stderr
    assert "[cut off: max_tokens is 7]\n" in said


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--no-think", "--budget", "64"], True),
        (["--thinking", "off", "--budget", "none"], True),
        (["--no-think", "--budget", "0"], False),
        (["--no-think"], False),
        (["--think", "--budget", "64"], False),
        (["--thinking", "auto", "--budget", "64"], False),
    ],
)
def test_a_budget_without_thinking_is_told_to_have_no_effect(
    invoke: Invoke, llm: FakeLLM, flags: list[str], told: bool
) -> None:
    llm.enqueue(answers("5"))
    result = invoke("ask", "2 + 3?", *flags)
    assert (result.exit_code, result.stdout) == (0, "5\n")
    assert ("[--budget has no effect: thinking is off]\n" in result.stderr) == told


def test_a_budget_that_lasts_is_no_reason_to_say_so(
    invoke: Invoke, llm: FakeLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QWEN3_MLX_BUDGET", "64")
    llm.enqueue(answers("5"))
    assert "--budget" not in invoke("ask", "2 + 3?", "--no-think").stderr


def test_thoughts_without_end_are_counted_alone(invoke: Invoke, llm: FakeLLM) -> None:
    llm.enqueue(thinks("hm\n", budget=None), stops(tokens=1, seconds=75), answers("5"))
    assert invoke("ask", "2 + 3?").stderr.startswith(
        "[thinking 1 token] hm\n[thought for 1 min 15 s · 1 token · stopped by itself]\n"
    )
