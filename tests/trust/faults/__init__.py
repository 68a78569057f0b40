"""Single faults of a model folder, each with what is said of it where it is refused.

They spoil a copy of the bundled model `tiny`. Where a fault may also be answered as if the folder
were sound, the pattern says why.
"""

from __future__ import annotations

from tests.damage import FAULTS as DAMAGES
from tests.damage import INDEX, Fault
from tests.trust.faults import config, container, files, generation, templates, tensors, tokenizer
from tests.trust.faults.edits import both, removed

# Without an index the headers are the list: faults of tensors then meet their own checks.
TENSORS = DAMAGES | tensors.TENSORS | tensors.PLAUSIBLE
UNINDEXED = {
    name: (both(removed(INDEX), damage), message) for name, (damage, message) in TENSORS.items()
}

PLAUSIBLE: dict[str, Fault] = (
    container.PLAUSIBLE
    | config.PLAUSIBLE
    | templates.PLAUSIBLE
    | tokenizer.PLAUSIBLE
    | generation.PLAUSIBLE
    | {name: UNINDEXED[name] for name in tensors.PLAUSIBLE}
)
"""What leaves a folder that could be another sound model: only digests tell."""

FAULTS: dict[str, Fault] = (
    container.CONTAINER
    | files.INDEXES
    | files.NOT_REGULAR
    | files.LINKS
    | files.RECORDS
    | files.OTHERS
    | config.JSON
    | config.FIELDS
    | config.SIZES
    | config.INFINITE
    | config.ROPE
    | config.QUANTIZATION
    | templates.TEMPLATES
    | tokenizer.JSON
    | tokenizer.MODEL
    | tokenizer.ADDED
    | tokenizer.STEPS
    | tokenizer.IGNORED
    | generation.ENDS
    | generation.SAMPLINGS
    | {name: fault for name, fault in UNINDEXED.items() if name not in tensors.PLAUSIBLE}
)
"""What is to be refused, or answered as the sound folder."""
