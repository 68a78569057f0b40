"""A tool: what a model may ask to be called, and what is called then.

Knows names, descriptions and a JSON schema. Does not know where tools come from, nor how a call is
run: see `run`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Tool:
    """What a model may ask to be called.

    Attributes:
        name: By which the model calls it.
        description: What the model is told of it.
        parameters: JSON schema of an object: the arguments.
        call: Arguments to what the model is told; may raise `ToolError`.
        seconds: Time limit of one call.
    """

    name: str
    description: str
    parameters: Mapping[str, object]
    call: Callable[[Mapping[str, object]], str]
    seconds: float = SECONDS

    @property
    def schema(self) -> dict[str, object]:
        """As it is offered to the model, in the form of OpenAI's function calling."""
        function = {
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters,
        }
        return {"type": "function", "function": function}
