"""Model files and where they are: files to arrays, names to folders.

Knows safetensors, indexes, quantization formats, tensor names and the Hugging Face Hub. Does not
know text, sampling or how a network computes.
"""

from __future__ import annotations
