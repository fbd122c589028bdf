"""`acestep-mcp` with one function that fails: python crashing.py MODULE OBJECT.FUNCTION ARGUMENTS...

The exception holds every key of the environment and an address with a secret, as one that quotes a request does.
"""

from __future__ import annotations

import importlib
import os
import sys
import warnings

from acestep_mcp.cli import main

KEYS = ("FAL_KEY", "ACESTEP_ENGINE_KEY", "ACESTEP_LLM_KEY", "ACESTEP_ASR_KEY", "ACESTEP_TOKEN")


def fail(*_: object, **__: object) -> None:
    said = " ".join(os.environ.get(name, "") for name in KEYS)
    warnings.warn(f"it failed with {said}", stacklevel=1)
    raise RuntimeError("https://h.example/hook?token=" + os.environ["HOOK"], said.split()) from ValueError(said)


module, target, *arguments = sys.argv[1:]
owner, _, name = target.rpartition(".")
setattr(getattr(importlib.import_module(module), owner), name, fail)
sys.exit(main(arguments))
