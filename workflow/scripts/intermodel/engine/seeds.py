"""One study seed, derived per job by name."""

from __future__ import annotations

import hashlib


def derive_seed(seed: int, *names: str) -> int:
    """Derive a 32-bit seed from the study's seed and the names of what it is for.

    Equal arguments give equal seeds on every machine; other names give unrelated ones, so that adding a model does
    not change the random numbers of the others.
    """
    text = "\x1f".join([str(int(seed)), *names])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")
