"""Tool calls as models write them: JSON and the XML form of the Coder models."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_mlx.events import ToolCall
from qwen3_mlx.text.calls import BrokenCall, read_call
from qwen3_mlx.text.xml_call import parse_xml_call


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ('{"name": "f", "arguments": {"x": 1}}', ToolCall("f", {"x": 1})),
        (' \n{"arguments": {}, "name": "f"}\n ', ToolCall("f", {})),
        ('{"name": "f"}', ToolCall("f", {})),
        ('{"name": "f", "arguments": "{\\"x\\": 1}"}', ToolCall("f", {"x": 1})),
        ('{"name": "f", "arguments": {"x": "\\ud800"}}', ToolCall("f", {"x": "?"})),
    ],
)
def test_calls_are_json_objects(text: str, call: ToolCall) -> None:
    assert read_call(text) == call


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"name": "", "arguments": {}}', 'it has no "name"'),
        ('{"name": 3, "arguments": {}}', 'it has no "name"'),
        ('{"arguments": {}}', 'it has no "name"'),
        ('{"name": "f", "arguments": [1]}', 'its "arguments" are no JSON object'),
        ('{"name": "f", "arguments": null}', 'its "arguments" are no JSON object'),
        ('{"name": "f", "arguments": "x"}', "it is not valid JSON: Expecting value"),
        ('[{"name": "f"}]', "it is no JSON object"),
        ('"f"', "it is no JSON object"),
        ("3", "it is no JSON object"),
        ("", "it is not valid JSON: Expecting value"),
        ("[" * 100_000, "it is nested too deeply"),
        ('{"name": "f", "arguments": {"x": ' + "9" * 5000 + "}}", "it is not valid JSON: Exceeds"),
        ('{"name": "f", "arguments": {"x": NaN}}', "it is not valid JSON: NaN is no JSON number"),
        ('{"name": "f", "arguments": {"x": [-Infinity]}}', "it is not valid JSON: -Infinity is no"),
        ('{"name": "f", "arguments": {"x": 1e999}}', "it is not valid JSON: 1e999 is too large"),
        ('{"name": "f", "arguments": "{\\"x\\": NaN}"}', "it is not valid JSON: NaN is no"),
        ('{"name": "f", "arguments": {"x": "' + "a" * 2**19 + '"}}', "it has more than 524288"),
        ("<function=f>\n<parameter=x>\n1\n", "its <function> and <parameter> tags do not match"),
    ],
    ids=lambda text: text[:30],
)
@pytest.mark.parametrize("repairing", [False, True])
def test_what_is_wrong_is_said(text: str, why: str, repairing: bool) -> None:
    broken = read_call(text, repairing=repairing)
    assert isinstance(broken, BrokenCall)
    assert broken.text == text
    assert broken.why.startswith(why)


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "f", "arguments": {"x": 1}',
        "{'name': 'f', 'arguments': {'x': 1}}",
        '{"name": "f", "arguments": "{\'x\': 1}"}',
    ],
)
def test_only_where_tools_are_offered_is_a_call_mended(text: str) -> None:
    assert isinstance(read_call(text), BrokenCall)
    assert read_call(text, repairing=True) == ToolCall("f", {"x": 1})


@pytest.mark.parametrize("number", ["1e999", "NaN", "-Infinity"])
def test_no_number_is_mended_into_one_that_is_not_finite(number: str) -> None:
    text = f"{{'name': 'f', 'arguments': {{'x': {number}}}}}"
    assert isinstance(read_call(text, repairing=True), BrokenCall)


def xml(name: str, **values: str) -> str:
    parameters = "".join(
        f"<parameter={key}>\n{value}\n</parameter>\n" for key, value in values.items()
    )
    return f"\n<function={name}>\n{parameters}</function>\n"


@pytest.mark.parametrize(
    ("text", "call"),
    [
        (xml("f"), ToolCall("f", {})),
        (xml("f", x="1", y="two\nlines"), ToolCall("f", {"x": "1", "y": "two\nlines"})),
        (xml("f", x="\n  code\n\n"), ToolCall("f", {"x": "\n  code\n\n"})),
        (xml("f", x="a </parameter> b"), ToolCall("f", {"x": "a </parameter> b"})),
        ("<function=f><parameter=x>1</parameter></function>", ToolCall("f", {"x": "1"})),
    ],
)
def test_the_xml_form_is_read(text: str, call: ToolCall) -> None:
    assert read_call(text) == call


@pytest.mark.parametrize(
    "text",
    [
        "<function=f>\n<parameter=x>\n1\n</function>",
        "<function=f>\nx\n</function>",
        xml("f", x="1") + "more",
        "<function=f>\n<parameter=x>\n1\n</parameter>\n<parameter=x>\n2\n</parameter>\n</function>",
        "<function=f>\n<parameter=x>\n1\n</parameter>\n<parameter=y>\n2",
    ],
)
def test_an_xml_call_that_is_not_whole(text: str) -> None:
    assert parse_xml_call(text, repairing=True) is None


def test_a_missing_end_of_the_function_is_mended() -> None:
    text = xml("f", x="1").replace("</function>", "")
    assert parse_xml_call(text) is None
    assert parse_xml_call(text, repairing=True) == ToolCall("f", {"x": "1"})


@given(st.dictionaries(st.sampled_from("abc"), st.text(alphabet="x <>/=\n1")))
def test_xml_values_come_back_as_they_were(values: dict[str, str]) -> None:
    assert parse_xml_call(xml("f", **values)) == ToolCall("f", values)


def test_hostile_xml_takes_no_time() -> None:
    text = "<function=f>" + "<parameter=x>\n</parameter>" * 10_000 + "\n" * 50_000
    assert parse_xml_call(text) is None
