"""Importing numba without scipy's linear algebra.

numba imports it, some 0.3 CPU seconds in every job that counts, to be able to compile products of matrices; nothing
here compiles one. scipy itself is untouched and works when it is imported later.
"""

from __future__ import annotations

import sys
from contextlib import suppress

if "scipy" not in sys.modules:
    sys.modules["scipy"] = None  # type: ignore[assignment]
    try:
        # The module that asks, whether another version has it or not.
        with suppress(ImportError):
            import numba.np.arraymath  # noqa: F401
    finally:
        del sys.modules["scipy"]

from numba import njit as njit
