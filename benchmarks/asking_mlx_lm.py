"""A model folder asked one question through mlx-lm, in a process of its own with bounded memory.

Knows what tests/trust/asking.py wants to hear. Does not know what is wrong with a folder.
"""

from __future__ import annotations

import resource

from tests.trust.asking import MOST_TOKENS, QUESTION, Said, serve

MOST_BYTES = 8 << 30
"""Of address space, so that the machine lives."""


def by_mlx_lm(folder: str) -> Said:
    """What mlx-lm answers, greedily."""
    import mlx_lm

    try:
        model, tokenizer = mlx_lm.load(folder)[:2]
        messages = [{"role": "user", "content": QUESTION}]
        prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True)
        return Said("answered", mlx_lm.generate(model, tokenizer, prompt, max_tokens=MOST_TOKENS))
    except Exception as error:  # noqa: BLE001
        return Said("refused", repr(error))


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    serve(by_mlx_lm)
