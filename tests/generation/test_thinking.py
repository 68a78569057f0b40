"""The thinking gate alone: every rule of the budget, by example and over random streams."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen3_mlx.errors import UsageError
from qwen3_mlx.generation.steps import Part, Verdict
from qwen3_mlx.generation.thinking import OwnAllowance, Tags, ThinkingBudget, ThinkingGate
from qwen3_mlx.text.renderer import Block

THINK, CLOSE, CALL, END_CALL, END, END_OF_TEXT = range(1000, 1006)
CONTROLS = range(1000, 1010)
INSTRUCTION = (7, 7, CLOSE, 8)
TAGS = Tags(
    think=THINK,
    end_think=CLOSE,
    tool_call=CALL,
    ends=frozenset({END, END_OF_TEXT}),
    is_control=lambda token: token in CONTROLS,
)
WORD = ord("a")
FACE = tuple("🙂".encode())


class Utf8:
    """Ids below 256 are bytes; knows how many the last character still lacks."""

    def __init__(self) -> None:
        self._missing = 0

    @property
    def pending(self) -> bool:
        return self._missing > 0

    def push(self, token: int, /) -> str:
        if 0x80 <= token < 0xC0 and self._missing:
            self._missing -= 1
        else:
            self._missing = (token >= 0xC0) + (token >= 0xE0) + (token >= 0xF0)
        return ""


@dataclass
class Run:
    """What a gate made of a stream of ids."""

    gate: ThinkingGate
    kept: list[int]
    parts: list[Part]
    injections: int
    left: list[int]


def make_gate(
    budget: ThinkingBudget | int | None, block: Block = "absent", room: int | None = None
) -> ThinkingGate:
    if not isinstance(budget, ThinkingBudget):
        budget = ThinkingBudget(budget)
    allowance = OwnAllowance(budget)
    text = Utf8()
    return ThinkingGate(TAGS, allowance, block=block, instruction=INSTRUCTION, text=text, room=room)


def run(
    gate: ThinkingGate, ids: Iterable[int], before_each: Callable[[int], None] = lambda i: None
) -> Run:
    result, left = Run(gate, [], [], 0, []), list(ids)
    for i in range(len(left)):
        before_each(i)
        token = left.pop(0)
        verdict = gate.judge(token)
        record(result, token, verdict)
        if verdict.last:
            break
    result.left = left
    return result


def record(result: Run, token: int, verdict: Verdict) -> None:
    if verdict.part is not Part.DROPPED:
        result.kept.append(token)
        result.parts.append(verdict.part)
    result.kept.extend(verdict.inject)
    result.parts.extend([Part.INJECTED] * len(verdict.inject))
    result.injections += bool(verdict.inject)


def thoughts(result: Run) -> list[int]:
    pairs = zip(result.kept, result.parts, strict=True)
    return [token for token, part in pairs if part is Part.THOUGHT]


def answer(result: Run) -> list[int]:
    pairs = zip(result.kept, result.parts, strict=True)
    return [token for token, part in pairs if part is Part.ANSWER]


def test_a_model_that_closes_its_block_is_left_alone() -> None:
    result = run(make_gate(10), [THINK, 1, 2, CLOSE, 3, 4, END])
    assert result.kept == [THINK, 1, 2, CLOSE, 3, 4, END]
    assert result.gate.thinking_tokens == 2
    assert result.gate.injected_tokens == 0
    assert result.gate.stop_thinking == "natural"


def test_at_the_budget_the_instruction_is_injected_and_the_answer_follows() -> None:
    result = run(make_gate(2), [THINK, 1, 2, 3, 4, END])
    assert result.kept == [THINK, 1, 2, *INSTRUCTION, 3, 4, END]
    assert result.gate.thinking_tokens == 2
    assert result.gate.injected_tokens == len(INSTRUCTION)
    assert result.gate.stop_thinking == "budget"


def test_a_closing_tag_that_would_be_token_b_plus_1_is_not_sampled() -> None:
    # The gate asks for the injection with token B, before the tag could come.
    gate = make_gate(2)
    verdicts = [gate.judge(token) for token in [THINK, 1, 2]]
    assert verdicts[-1] == Verdict(Part.THOUGHT, INSTRUCTION)


def test_a_block_that_closes_at_exactly_the_budget_minus_one_is_natural() -> None:
    result = run(make_gate(3), [THINK, 1, 2, CLOSE, 5, END])
    assert (result.gate.stop_thinking, result.gate.thinking_tokens) == ("natural", 2)


def test_the_newline_after_the_opening_tag_counts() -> None:
    result = run(make_gate(1), [THINK, ord("\n"), 1])
    assert thoughts(result) == [ord("\n")]


def test_a_block_that_the_prompt_opened_needs_no_tag() -> None:
    result = run(make_gate(2, "open"), [1, 2, 3, END])
    assert result.kept == [1, 2, *INSTRUCTION, 3, END]
    assert result.gate.thinking_tokens == 2


def test_no_opening_tag_first_means_no_block() -> None:
    result = run(make_gate(2), [1, THINK, 2, 3, 4, END])
    assert set(result.parts) == {Part.ANSWER, Part.END}
    assert (result.gate.stop_thinking, result.gate.thinking_tokens) == ("off", 0)


def test_a_closed_prompt_means_no_block() -> None:
    result = run(make_gate(None, "closed"), [THINK, 1, END])
    assert (answer(result), result.gate.stop_thinking) == ([THINK, 1], "off")


def test_a_closed_block_is_never_opened_again() -> None:
    result = run(make_gate(None), [THINK, 1, CLOSE, 2, THINK, 3, CLOSE, 4, END])
    assert thoughts(result) == [1]
    assert answer(result) == [2, THINK, 3, CLOSE, 4]


@pytest.mark.parametrize("end", [END, END_OF_TEXT])
def test_an_end_inside_the_block_closes_it_naturally(end: int) -> None:
    result = run(make_gate(9), [THINK, 1, end, 2, end])
    assert result.kept == [THINK, 1, *INSTRUCTION, 2, end]
    assert result.gate.stop_thinking == "natural"


def test_a_tool_call_inside_the_block_closes_it_without_injection() -> None:
    result = run(make_gate(9), [THINK, 1, CALL, 2, END_CALL, END])
    assert result.kept == [THINK, 1, CALL, 2, END_CALL, END]
    assert answer(result) == [CALL, 2, END_CALL]
    assert (result.gate.stop_thinking, result.gate.injected_tokens) == ("natural", 0)


def test_other_control_ids_inside_the_block_count() -> None:
    result = run(make_gate(3), [THINK, THINK, END_CALL, 1, 2])
    assert thoughts(result) == [THINK, END_CALL, 1]


@pytest.mark.parametrize("budget", [1, 2, 3])
def test_a_character_is_finished_past_the_budget(budget: int) -> None:
    result = run(make_gate(budget), [THINK, *FACE, WORD, END])
    assert thoughts(result) == list(FACE)
    assert result.gate.stop_thinking == "budget"


def test_a_character_that_ends_at_the_budget_needs_no_grace() -> None:
    assert thoughts(run(make_gate(4), [THINK, *FACE, WORD, END])) == list(FACE)


def test_grace_ends_after_three_tokens() -> None:
    endless = [FACE[0]] * 9
    assert thoughts(run(make_gate(2), [THINK, *endless])) == [FACE[0]] * 5


@pytest.mark.parametrize("control", [CLOSE, END, CALL, THINK, END_CALL])
def test_a_control_id_in_the_grace_is_dropped(control: int) -> None:
    result = run(make_gate(1), [THINK, FACE[0], control, WORD, END])
    assert result.kept == [THINK, FACE[0], *INSTRUCTION, WORD, END]
    assert result.gate.stop_thinking == "budget"


def test_a_budget_of_none_has_no_end() -> None:
    result = run(make_gate(None), [THINK, *[WORD] * 500, CLOSE, END])
    assert result.gate.thinking_tokens == 500
    assert result.gate.limit is None


def test_the_room_ends_what_the_budget_does_not() -> None:
    for budget in (None, 9):
        result = run(make_gate(budget, room=2), [THINK, 1, 2, 3, END])
        assert thoughts(result) == [1, 2]
        assert result.gate.stop_thinking == "length"
    assert run(make_gate(2, room=2), [THINK, 1, 2, 3]).gate.stop_thinking == "budget"


def test_what_is_counted_against_is_the_smaller_of_budget_and_room() -> None:
    assert make_gate(9, room=4).limit == 4
    assert make_gate(3, room=4).limit == 3
    assert make_gate(None, room=4).limit is None


def test_a_lower_budget_holds_from_the_next_token() -> None:
    budget = ThinkingBudget(100)

    def turn(i: int) -> None:
        if i == 5:
            budget.set(2)

    result = run(make_gate(budget), [THINK, *[WORD] * 50], turn)
    assert len(thoughts(result)) == 4
    assert result.gate.stop_thinking == "budget"


def test_a_lower_budget_does_not_cut_a_character() -> None:
    budget = ThinkingBudget(100)
    result = run(
        make_gate(budget), [THINK, WORD, *FACE, WORD], lambda i: budget.set(100 if i < 4 else 1)
    )
    assert thoughts(result) == [WORD, *FACE]
    assert result.gate.stop_thinking == "budget"


def test_a_budget_raised_while_a_character_is_finished_finishes_the_next_one_too() -> None:
    budget = ThinkingBudget(1)
    faces = [*FACE, *FACE]
    result = run(make_gate(budget), [THINK, *faces, WORD], lambda i: budget.set(1 if i < 4 else 5))
    assert thoughts(result) == faces


def test_a_higher_budget_lets_it_go_on() -> None:
    budget = ThinkingBudget(3)
    result = run(make_gate(budget), [THINK, *[WORD] * 50], lambda i: budget.set(3 if i < 2 else 10))
    assert len(thoughts(result)) == 10


def test_stop_ends_the_thinking_at_the_next_token() -> None:
    budget = ThinkingBudget(None)

    def turn(i: int) -> None:
        if i == 3:
            budget.stop()

    result = run(make_gate(budget), [THINK, *[WORD] * 9, END], turn)
    assert result.kept[:7] == [THINK, WORD, WORD, *INSTRUCTION]
    assert result.gate.stop_thinking == "user"


def test_stop_does_not_cut_a_character() -> None:
    budget = ThinkingBudget(None)

    def turn(i: int) -> None:
        if i == 2:
            budget.stop()

    assert thoughts(run(make_gate(budget), [THINK, *FACE, WORD], turn)) == list(FACE)


def test_a_stop_before_the_block_opens_closes_it_at_once() -> None:
    budget = ThinkingBudget(None)
    gate = make_gate(budget)
    budget.stop()
    assert run(gate, [THINK, 1, END]).kept == [THINK, *INSTRUCTION, 1, END]


def test_a_stop_of_an_earlier_turn_is_over() -> None:
    budget = ThinkingBudget(None)
    budget.stop()
    assert run(make_gate(budget), [THINK, 1, CLOSE, END]).gate.stop_thinking == "natural"


def test_an_interrupt_while_thinking_is_the_users() -> None:
    gate = make_gate(None)
    run(gate, [THINK, 1])
    gate.interrupt()
    assert (gate.block, gate.stop_thinking) == ("closed", "user")


def test_an_interrupt_of_the_answer_leaves_the_reason_alone() -> None:
    gate = make_gate(None)
    run(gate, [THINK, 1, CLOSE, 2])
    gate.interrupt()
    assert gate.stop_thinking == "natural"


@pytest.mark.parametrize("bad", [-1, 1.5, "12", True])
def test_a_budget_that_is_no_number_is_refused(bad: object) -> None:
    with pytest.raises(UsageError, match="budget"):
        ThinkingBudget(bad)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="budget"):
        ThinkingBudget(3).set(bad)  # type: ignore[arg-type]


def test_a_budget_knows_whether_a_person_gave_it() -> None:
    budget = ThinkingBudget(64, given=False)
    assert not budget.given
    budget.set(32)
    assert (budget.given, budget.limit) == (True, 32)


tokens = st.integers(0, 255) | st.sampled_from(CONTROLS)
budgets = st.none() | st.integers(0, 40)
blocks: st.SearchStrategy[Block] = st.sampled_from(["absent", "open"])


@settings(max_examples=2000, deadline=None)
@given(ids=st.lists(tokens, max_size=80), budget=budgets, block=blocks)
def test_over_any_stream(ids: list[int], budget: int | None, block: Block) -> None:
    result = run(make_gate(budget, block), [THINK, *ids] if block == "absent" else ids)
    gate = result.gate
    assert gate.thinking_tokens == len(thoughts(result))
    assert budget is None or gate.thinking_tokens <= budget + 3
    assert result.injections <= 1
    assert gate.injected_tokens == result.parts.count(Part.INJECTED)
    assert result.parts.count(Part.CLOSE) + result.injections <= 1
    assert in_order(result.parts)
    assert Part.END not in result.parts[:-1]


def in_order(parts: list[Part]) -> bool:
    """Opening, thoughts, closing or injection, answer, end: each only after those before it."""
    rank = {Part.OPEN: 0, Part.THOUGHT: 1, Part.CLOSE: 2, Part.INJECTED: 2, Part.ANSWER: 3}
    ranks = [rank.get(part, 4) for part in parts]
    return ranks == sorted(ranks)


@settings(deadline=None)
@given(budget=st.integers(0, 60), extra=st.integers(1, 20), block=blocks)
def test_ascii_that_would_go_on_gets_exactly_the_budget(
    budget: int, extra: int, block: Block
) -> None:
    words = [WORD] * (budget + extra)
    result = run(make_gate(budget, block), [THINK, *words] if block == "absent" else words)
    if block == "open" and budget == 0:
        # The prompt of a budget of 0 closes the block; a live 0 drops the first token.
        assert result.kept[: len(INSTRUCTION)] == list(INSTRUCTION)
    assert result.gate.thinking_tokens == budget
    assert result.injections == 1
    assert result.gate.stop_thinking == "budget"


@settings(max_examples=500, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, 50), budgets), max_size=5),
    ids=st.lists(tokens, min_size=50, max_size=60),
)
def test_a_turned_budget_is_never_passed_but_to_finish_a_character(
    changes: list[tuple[int, int | None]], ids: list[int]
) -> None:
    budget = ThinkingBudget(None)
    gate, beyond = make_gate(budget), 0
    for i, token in enumerate([THINK, *ids]):
        for _, limit in (change for change in changes if change[0] == i):
            budget.set(limit)
        used = gate.thinking_tokens
        part = gate.judge(token).part
        beyond += part is Part.THOUGHT and budget.limit is not None and used >= budget.limit
    assert beyond <= 3
