"""Sound texts of models, servers and people: calls, answers, expressions, messages of a server."""

from __future__ import annotations

import json

CALLS = (
    b'{"name": "look", "arguments": {"at": "x", "times": "3", "exactly": 0.5, "often": [1]}}',
    b'{"name": "look", "arguments": "{\\"at\\": \\"x\\", \\"times\\": 3}"}',
    b"```json\n{'name': 'look', 'arguments': {'at': \"it's\", 'times': 3, 'exactly': None,}}\n```",
    b"<function=look>\n<parameter=at>\nx\n</parameter>\n<parameter=times>\n3\n</parameter>\n"
    b"</function>",
)
ANSWERS = (
    b"It is 9 + 9 = 1,018.5 dollars, which is 1/2 of it.",
    rb"So $x=5$ and thus \boxed{\dfrac{1}{2} + \text{ab} \left(3\right)^{\circ}}.",
    rb"The answer is (B). Or B) it is: 1{,}000 \frac12 \sqrt2",
)
EXPRESSIONS = (
    b"347 * 582 - (2 ** 10) / 4.5e3",
    b"sqrt(2) + round(10 % 3, 2) // -7",
    "2×3÷4−1".encode(),
)
QUESTION = (
    b'"A quoted line": Hello, please! What is 2 + 2? /no_think\n\n```python\nprint(1)\n```\nDanke.'
)


def _answer(result: object) -> dict[str, object]:
    return {"result": result}


def replies() -> bytes:
    """What a server answers when it is looked at, greeted, asked for its tools, and for a call."""
    hello = {
        "protocolVersion": "2025-06-18",
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "by hand", "version": "1"},
    }
    numbers = {"a": {"type": "integer", "description": "One."}}
    schema = {"type": "object", "properties": numbers, "required": ["a"]}
    tool = {"name": "add", "description": "Add.", "inputSchema": schema}
    said = [{"type": "text", "text": "7"}, {"type": "image", "data": "AA==", "mimeType": "a/b"}]
    refusal: dict[str, object] = {"error": {"code": -32601, "message": "no server/discover"}}
    results = (hello, {"tools": [tool]}, {"content": said, "structuredContent": {"a": 7}})
    answers = [refusal, *map(_answer, results)]
    lines = ({"jsonrpc": "2.0", "id": n, **answer} for n, answer in enumerate(answers, 1))
    return b"\n".join(json.dumps(line).encode() for line in lines)
