"""Faults of `config.json`: its JSON, the network it describes, and how its weights are rounded."""

from __future__ import annotations

from typing import Any

from tests.damage import CONFIG, Fault
from tests.trust.faults.edits import Damage, content, edited, fields, text, without

FILE = r"config\.json"
OTHER = f"{FILE} is not the file"
SHAPE = r"the tensor .* (has the shape|is missing)|has no place in the model that config\.json"
GATE = "model.layers.0.mlp.gate"


def scaling(**values: object) -> Damage:
    return fields(CONFIG, rope_scaling={"rope_type": "yarn", **values})


def rounded(**values: object) -> Damage:
    """Fields of the quantization replaced, in both blocks."""

    def change(config: Any) -> None:
        for name in ("quantization", "quantization_config"):
            config[name].update(values)

    return edited(CONFIG, change)


def written(field: str, number: str) -> Damage:
    """A field with a number that Python would not write."""
    return content(
        CONFIG, lambda data: b'{"%s": %s,' % (field.encode(), number.encode()) + data[1:]
    )


JSON: dict[str, Fault] = {
    "a config without a byte": (text(CONFIG, ""), f"{FILE} is not valid JSON"),
    "a config cut off": (content(CONFIG, lambda d: d[:-50]), f"{FILE} is not valid JSON"),
    "a config that is a list": (text(CONFIG, "[]"), f"{FILE} holds no JSON object"),
    "a config with a word after it": (content(CONFIG, lambda d: d + b"x"), f"{FILE} is not valid"),
    "a config with a byte order mark": (
        content(CONFIG, lambda d: b"\xef\xbb\xbf" + d),
        f"{FILE} is not valid JSON",
    ),
    "a config in UTF-16": (
        content(CONFIG, lambda d: d.decode().encode("utf-16")),
        f"{FILE} is not valid JSON",
    ),
    "a config in Latin-1": (
        content(CONFIG, lambda d: '{"x": "ä",'.encode("latin-1") + d[1:]),
        f"{FILE} is not valid JSON",
    ),
    "a config with a key twice": (written("head_dim", "32"), f"{FILE} .* is there twice"),
    "a config nested without end": (text(CONFIG, "[" * 10**5), f"{FILE} is not valid JSON"),
    "a config with an endless number": (written("x", "1" * 5000), f"{FILE} is not valid JSON"),
    "a config of more than 8 MiB": (content(CONFIG, lambda d: d + b" " * 2**23), "is larger than"),
    "a config of two million lists": (
        written("x", "[" + "[]," * 2_000_000 + "[]]"),
        f"{FILE} holds more than 1048576",
    ),
}

# What a field of the network may not be, with what is said of it.
WRONG: dict[str, tuple[object, ...]] = {
    "vocab_size": (0, -1, 1.5, True, "1600", 2**40),
    "hidden_size": (0, 2**31, [128]),
    "num_hidden_layers": (0, 4.0, 10**9),
    "num_attention_heads": (-4, "4", 10**6),
    "num_key_value_heads": (0, 3, 8),
    "head_dim": (0, 31, 2**20),
    "moe_intermediate_size": (0, "32"),
    "num_experts": (-1, 10**6, 128.0),
    "num_experts_per_tok": (0, 129, "8"),
    "decoder_sparse_step": (0, -1),
    "mlp_only_layers": (0, [4], [True], ["0"]),
    "norm_topk_prob": (1, "true"),
    "tie_word_embeddings": (1, "true"),
    "rms_norm_eps": (0, -1e-6, "1e-6", 1.0),
    "rope_theta": (0, -1, "10000", 1e300),
    "max_position_embeddings": (0, -1, 2**60, "2048"),
    "model_type": ("qwen2", "Qwen3", ["qwen3_moe"], 3),
    "hidden_act": ("gelu", ["silu"]),
    "attention_bias": (True, "no"),
    "use_sliding_window": (True,),
    "layer_types": (["sliding_attention"] * 4, "full_attention"),
    "partial_rotary_factor": (0.5,),
    "original_max_position_embeddings": (512,),
    "quantize_activations": (True,),
    "num_local_experts": (64,),
}

FIELDS: dict[str, Fault] = {
    f"{name} = {value!r:.30}": (fields(CONFIG, **{name: value}), f"{FILE}: .*{name}|^{name}")
    for name, values in WRONG.items()
    for value in values
} | {
    f"no {name}": (without(CONFIG, name), f"{FILE}: {name} is missing")
    for name in (
        *("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "head_dim"),
        *("model_type", "rms_norm_eps", "rope_theta", "max_position_embeddings"),
        *("num_experts", "num_experts_per_tok", "moe_intermediate_size"),
    )
}

SIZES: dict[str, Fault] = {
    f"{name} = {value}": (fields(CONFIG, **{name: value}), SHAPE)
    for name, value in {
        "vocab_size": 1599,
        "hidden_size": 256,
        "num_hidden_layers": 3,
        "num_attention_heads": 8,
        "num_key_value_heads": 1,
        "head_dim": 64,
        "moe_intermediate_size": 64,
        "num_experts": 64,
        "mlp_only_layers": [0],
        "decoder_sparse_step": 2,
        "tie_word_embeddings": False,
    }.items()
}

INFINITE: dict[str, Fault] = {
    "an infinite epsilon": (
        content(CONFIG, lambda d: d.replace(b"1e-06", b"1e999")),
        f"{FILE}: rms_norm_eps",
    ),
    "an infinite theta": (
        content(CONFIG, lambda d: d.replace(b"10000.0", b"1e999")),
        f"{FILE}: rope_theta",
    ),
}

ROPE: dict[str, Fault] = {
    "a scaling that is text": (fields(CONFIG, rope_scaling="yarn"), f"{FILE}: rope_scaling"),
    "a scaling of another kind": (scaling(rope_type="llama3"), f"{FILE}: rope_scaling: rope_type"),
    "a scaling of two kinds": (scaling(type="linear", factor=2), f"{FILE}: rope_scaling"),
    "a scaling without a factor": (scaling(), f"{FILE}: rope_scaling: factor is missing"),
    "a factor of nothing": (scaling(factor=0), f"{FILE}: rope_scaling: factor"),
    "a factor of a billion": (scaling(factor=1e9), f"{FILE}: rope_scaling: factor"),
    "a scaling of no length": (
        scaling(factor=2, original_max_position_embeddings=0),
        f"{FILE}: rope_scaling: original_max_position_embeddings",
    ),
    "a scaling with betas the wrong way round": (
        scaling(factor=2, beta_fast=1, beta_slow=32),
        f"{FILE}: rope_scaling: beta_fast",
    ),
    "a scaling with a word of its own": (
        scaling(factor=2, short_factor=[1.0]),
        f"{FILE}: rope_scaling: short_factor",
    ),
    "two thetas": (
        fields(CONFIG, rope_parameters={"rope_type": "default", "rope_theta": 5e5}),
        f"{FILE}: .*rope_theta",
    ),
}

QUANTIZATION: dict[str, Fault] = {
    "a quantization that is a list": (
        fields(CONFIG, quantization=[4]),
        f"{FILE}: quantization = .* must be an object",
    ),
    "no quantization": (fields(CONFIG, quantization=None, quantization_config=None), SHAPE),
    "3 bits instead of 4": (rounded(bits=3), SHAPE),
    "7 bits": (rounded(bits=7), f"{FILE}: quantization: bits = 7"),
    "bits that are text": (rounded(bits="4"), f"{FILE}: quantization: bits"),
    "bits that are true": (rounded(bits=True), f"{FILE}: quantization: bits"),
    "groups of 64 instead of 32": (rounded(group_size=64), f"{SHAPE}|{FILE}: quantization"),
    "groups of 128 in rows of 32": (rounded(group_size=128), f"{SHAPE}|{FILE}: quantization"),
    "groups of nothing": (rounded(group_size=0), f"{FILE}: quantization: group_size"),
    "groups of 48": (rounded(group_size=48), f"{FILE}: quantization: group_size"),
    "groups without end": (rounded(group_size=2**70), f"{FILE}: quantization: group_size"),
    "another mode": (rounded(mode="mxfp4"), f"the tensor|{FILE}"),
    "a mode that is not known": (rounded(mode="nf4"), f"{FILE}: quantization: mode"),
    "a mode that is a number": (rounded(mode=4), f"{FILE}: quantization: mode"),
    "a method of others": (rounded(quant_method="awq"), f"{FILE}: quantization: quant_method"),
    "a gate that is said to be whole": (rounded(**{GATE: False}), SHAPE),
    "a gate of 4 bits instead of 8": (
        rounded(**{GATE: {"bits": 4, "group_size": 32}}),
        SHAPE,
    ),
    "a gate with a word of its own": (
        rounded(**{GATE: {"bits": 8, "group_size": 32, "zero_point": True}}),
        f"{FILE}: quantization: .*zero_point",
    ),
    "a gate that is a list": (rounded(**{GATE: [8, 32]}), f"{FILE}: quantization: {GATE}"),
    "a module that is not there": (rounded(**{"model.layers.9.mlp.gate": {"bits": 8}}), FILE),
    "100,000 modules that are not there": (
        rounded(**{f"x{i}": {"bits": 8} for i in range(100_000)}),
        f"{FILE}: quantization names 10000. modules",
    ),
    "a second quantization that contradicts": (
        fields(CONFIG, quantization_config={"bits": 8, "group_size": 64}),
        FILE,
    ),
    "a quantization under its second name only": (without(CONFIG, "quantization"), FILE),
}

PLAUSIBLE: dict[str, Fault] = {
    "another theta": (fields(CONFIG, rope_theta=1e6), OTHER),
    "another epsilon": (fields(CONFIG, rms_norm_eps=1e-2), OTHER),
    "two experts instead of eight": (fields(CONFIG, num_experts_per_tok=2), OTHER),
    "experts that do not add up to one": (fields(CONFIG, norm_topk_prob=False), OTHER),
    "YaRN that the model was not made with": (
        scaling(factor=4, original_max_position_embeddings=512),
        OTHER,
    ),
    "positions divided by 8": (fields(CONFIG, rope_scaling={"type": "linear", "factor": 8}), OTHER),
    "a context of 64 tokens": (fields(CONFIG, max_position_embeddings=64), OTHER),
}
