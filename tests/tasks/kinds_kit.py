"""What the tests of custom kinds share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mainspring.graph import custom_kinds, plugins


@pytest.fixture(autouse=True)
def own_kinds(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test declares is not known to the next; neither are the plugins that it installed."""
    monkeypatch.setattr(custom_kinds, "_declared", dict(custom_kinds._declared))
    monkeypatch.setattr(plugins, "_known", ((), plugins.Plugins({})))
    yield
