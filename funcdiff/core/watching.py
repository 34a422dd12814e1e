"""The one hook for debugging: who, if anybody, watches what transforms evaluate.

Transforms ask once per call, when they make their recorder; off, that is all it costs.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

WATCHER: ContextVar[Any] = ContextVar("funcdiff watcher", default=None)
"""None, or what makes the recorders: ``reverse()``, ``forward(strong)`` and ``recording(recorder, …)``."""
