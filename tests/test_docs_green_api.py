"""docs/green-api.md names every method of GREEN-API that the bridge can call."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.sentences import calls, tree_of

PAGE = (Path(__file__).parents[1] / "docs/green-api.md").read_text("utf-8")
ASKING = {"_get": 0, "_post": 0, "_list": 0, "Call": 1}  # where the method's name is


def methods() -> set[str]:
    """Return the methods that the client of the running bridge names."""
    names = (
        call.args[place]
        for function, place in ASKING.items()
        for call in calls(tree_of("whatsapp/client.py"), function)
    )
    return {node.value for node in names if isinstance(node, ast.Constant)}


def test_every_method_is_on_the_page() -> None:
    assert len(methods()) > 5
    assert [name for name in methods() if f"`{name}`" not in PAGE] == []
