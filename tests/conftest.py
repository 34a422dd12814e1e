"""What tests of all parts share."""

from __future__ import annotations

import pytest


@pytest.fixture
def answered(monkeypatch):
    """Put a watch on a function of a module: whether each of its calls had an answer that is not None."""

    def watch(module, name):
        function, found = getattr(module, name), []

        def watched(*args):
            result = function(*args)
            found.append(result is not None)
            return result

        monkeypatch.setattr(module, name, watched)
        return found

    return watch
