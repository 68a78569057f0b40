"""Ways in which a model folder tries to have code of its own run. The code leaves a trace."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.damage import CONFIG, INDEX, NORM, WEIGHTS
from tests.trust.faults.edits import (
    GENERATION,
    TEMPLATE,
    TOKENIZER,
    TOKENIZER_CONFIG,
    Damage,
    both,
    bytes_of,
    edited,
    fields,
    link_instead,
    removed,
    text,
)

TRACE = "trace"
CODE = f"""open({TRACE!r}, 'w').close()
class Evil: pass
Model = ModelArgs = Qwen2Tokenizer = Evil
"""
NAMED = {"AutoConfig": "evil.Evil", "AutoModelForCausalLM": "evil.Evil"}
CALL = f"open({TRACE!r}, 'w')"
SHELL = f"touch {TRACE}"


class Pickled:
    """Runs a command when it is read."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (SHELL,)


def code(*names: str) -> Damage:
    """The code under each of these names."""

    def damage(folder: Path) -> None:
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(CODE)

    return damage


def pickled(name: str) -> Damage:
    return bytes_of(name, pickle.dumps({NORM: Pickled()}))


def zipped(name: str) -> Damage:
    """A pickle in a zip file, as PyTorch and NumPy have them."""

    def damage(folder: Path) -> None:
        with zipfile.ZipFile(folder / name, "w") as file:
            for part in ("archive/data.pkl", "weights.npy"):
                file.writestr(part, pickle.dumps(Pickled()))

    return damage


def object_array(name: str) -> Damage:
    head = "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    file = io.BytesIO(b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head.encode())
    file.seek(0, io.SEEK_END)
    file.write(pickle.dumps(Pickled()))
    return bytes_of(name, file.getvalue())


def compiled(folder: Path) -> None:
    """Byte code where Python looks for that of `json`."""
    code("json.py", "evil.py")(folder)
    command = [sys.executable, "-m", "compileall", "-q", "-b", str(folder)]
    subprocess.run(command, check=True)
    (folder / "json.py").unlink()


NAMES: dict[str, Damage] = {
    "model_file": both(code("evil.py"), fields(CONFIG, model_file="evil.py")),
    "auto_map": both(code("evil.py"), fields(CONFIG, auto_map=NAMED)),
    "auto_map of another repository": fields(CONFIG, auto_map={"AutoModel": "a/b--evil.Evil"}),
    "trust_remote_code": both(
        code("evil.py"), fields(CONFIG, auto_map=NAMED, trust_remote_code=True)
    ),
    "architectures": both(code("evil.py"), fields(CONFIG, architectures=["evil.Evil"])),
    "model_type": both(code("evil.py"), fields(CONFIG, model_type="evil")),
    "hidden_act": both(code("evil.py"), fields(CONFIG, hidden_act="evil.Evil")),
    "torch_dtype": both(code("evil.py"), fields(CONFIG, torch_dtype="evil.Evil")),
    "an attention of its own": both(
        code("evil.py"), fields(CONFIG, _attn_implementation="evil/evil:Evil")
    ),
    "quant_method": both(
        code("evil.py"),
        edited(CONFIG, lambda config: config["quantization"].update(quant_method="evil")),
    ),
    "a mode of quantization": both(
        code("evil.py"), edited(CONFIG, lambda config: config["quantization"].update(mode="evil"))
    ),
    "custom_generate": both(
        code("custom_generate/generate.py"), fields(GENERATION, custom_generate="custom_generate")
    ),
    "custom_generate without a name": code("custom_generate/generate.py"),
    "auto_map of the tokenizer": both(
        code("evil.py"), fields(TOKENIZER_CONFIG, auto_map={"AutoTokenizer": ["evil.Evil", None]})
    ),
    "tokenizer_class": both(code("evil.py"), fields(TOKENIZER_CONFIG, tokenizer_class="evil.Evil")),
    "tokenizer_class of the folder": both(
        code("tokenization_qwen2.py"), fields(TOKENIZER_CONFIG, tokenizer_class="Qwen2Tokenizer")
    ),
    "tokenizer_file": both(code("evil.py"), fields(TOKENIZER_CONFIG, tokenizer_file="evil.py")),
    "a tokenizer in Python alone": both(code("tokenizer.py"), removed(TOKENIZER)),
    "a pre-tokenizer of its own": both(
        code("evil.py"), fields(TOKENIZER, pre_tokenizer={"type": "Custom", "module": "evil"})
    ),
    "a normalizer of its own": both(
        code("evil.py"), fields(TOKENIZER, normalizer={"type": "evil.Evil"})
    ),
    "a tool parser": both(code("evil.py"), fields(TOKENIZER_CONFIG, tool_parser_type="evil")),
    "a processor": both(
        code("evil.py"), text("preprocessor_config.json", '{"auto_map": {"AutoProcessor": "evil"}}')
    ),
}

PICKLES: dict[str, Damage] = {
    "a pickle beside the weights": pickled("pytorch_model.bin"),
    "a pickle in place of the weights": both(
        removed(WEIGHTS), removed(INDEX), pickled("pytorch_model.bin")
    ),
    "a pickle called safetensors": pickled(WEIGHTS),
    "a pickle that the index names": both(
        pickled("x.bin"), edited(INDEX, lambda index: index["weight_map"].update({NORM: "x.bin"}))
    ),
    "a pickle that is called safetensors in the index": both(
        pickled("x.safetensors"),
        edited(INDEX, lambda index: index["weight_map"].update({NORM: "x.safetensors"})),
    ),
    "a zip of pickles called safetensors": both(removed(WEIGHTS), zipped(WEIGHTS)),
    "an array of objects called safetensors": object_array(WEIGHTS),
    "arrays of objects": zipped("weights.npz"),
    "arguments of a training": pickled("training_args.bin"),
    "a pickled tokenizer": both(removed(TOKENIZER), pickled("tokenizer.model")),
    "a pickled tokenizer beside the other": pickled("tokenizer.pkl"),
    "a pickled config": pickled(CONFIG),
    "a pickled manifest": pickled("conversion.json"),
    "a pickled cache": pickled("cache.pt"),
}

SHADOWS: dict[str, Damage] = {
    f"a module called {name}": code(f"{name}.py", f"{name}/__init__.py")
    for name in (
        *("json", "typing", "jinja2", "tokenizers", "mlx", "regex", "sentencepiece"),
        *("sitecustomize", "usercustomize", "qwen3_mlx", "sandbox_worker", "resource", "numpy"),
    )
} | {
    "modules called like all of these at once": code(
        *(f"{name}.py" for name in sys.stdlib_module_names if not name.startswith("_"))
    ),
    "byte code called json": compiled,
    "a shared object called json": bytes_of("json.so", b"\x7fELF"),
    "a file of paths": text("evil.pth", f"import os; os.system({SHELL!r})"),
    "a package": code("__init__.py", "__main__.py", "conftest.py", "setup.py"),
    "a virtual environment": both(
        text("pyvenv.cfg", "home = ."), code("lib/site-packages/json.py")
    ),
}

TEMPLATES: dict[str, Damage] = {
    f"a template: {source}": text(TEMPLATE, f"{{{{ messages[0].content }}}}{source}")
    for source in (
        f"{{{{ cycler.__init__.__globals__.os.system({SHELL!r}) }}}}",
        f"{{{{ self.__init__.__globals__['__builtins__'].{CALL} }}}}",
        f"{{{{ ().__class__.__base__.__subclasses__()[0].{CALL} }}}}",
        f"{{{{ raise_exception.__globals__['os'].system({SHELL!r}) }}}}",
        f"{{{{ strftime_now.__globals__['os'].system({SHELL!r}) }}}}",
        f"{{{{ ''|attr('__class__')|attr('mro')|list|map(attribute='{CALL}') }}}}",
        f"{{{{ lipsum.__globals__['os'].popen({SHELL!r}).read() }}}}",
        f"{{{{ '{{0.__class__.__init__.__globals__}}'.format(self) ~ {SHELL!r} }}}}",
        f"{{{{ joiner.__init__.__func__.__globals__.os.system({SHELL!r}) }}}}",
        f"{{{{ namespace.__init__.__globals__.os.system({SHELL!r}) }}}}",
        f"{{{{ messages.__class__.__init__.__self__.{CALL} }}}}",
        f"{{{{ loop.__init__.__globals__.os.system({SHELL!r}) }}}}",
        "{% include 'evil.py' %}",
        "{% import 'json' as json %}{{ json.loads }}",
        "{% from 'os' import system %}{{ system('touch trace') }}",
        "{% extends 'chat.html' %}",
    )
}

LINKS: dict[str, Damage] = {
    f"{name} that is a link to code": both(code("evil.py"), link_instead(name, "evil.py"))
    for name in (CONFIG, TOKENIZER, TEMPLATE, GENERATION, WEIGHTS)
} | {
    "weights that are a link to a pickle": both(pickled("x.bin"), link_instead(WEIGHTS, "x.bin")),
    "weights that are a link to a pickle outside": both(
        pickled("../x.bin"), link_instead(WEIGHTS, "../x.bin")
    ),
    "a template that is a link to the memory": link_instead(TEMPLATE, "/proc/self/mem"),
    "a tokenizer that is a link to the environment": link_instead(TOKENIZER, "/proc/self/environ"),
}

TRIES = NAMES | PICKLES | SHADOWS | TEMPLATES | LINKS
