"""The sentences that the code can say to a person, read out of its source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "bridge"

_SENTENCE = re.compile(r"\w.* .*\w.*[.:?…](?:\s|$)", re.DOTALL)
_FIRST = re.compile(r"[.?](?=\s)")
_LOG_FIELD = re.compile(r"%[sd]")


@cache
def tree_of(module: str) -> ast.Module:
    """Return the syntax of a module of the bridge, such as ``wording/account.py``."""
    return ast.parse((PACKAGE / module).read_text("utf-8"))


def sentences(module: str) -> list[str]:
    """Return every text of a module that reads like a sentence.

    What is filled in later stands there as "…". Docstrings and what is logged are
    left out.
    """
    tree = tree_of(module)
    left_out = {id(node) for node in _not_said(tree)}
    texts = (_text(n) for n in ast.walk(tree) if id(n) not in left_out)
    return sorted({t for t in texts if t and _SENTENCE.search(t)})


def refusals_of_values() -> list[str]:
    """Return what is said of a setting's value, from ``raise Wrong("must be …")``."""
    raised = calls(tree_of("settings_table.py"), "Wrong")
    return sorted({f"… {_text(call.args[0])}." for call in raised})


def log_lines(level: str) -> dict[str, str]:
    """Return each line that the bridge logs at a level, and the module it is from."""
    found = {}
    for module in modules():
        for call in calls(tree_of(module), level):
            if _is_log(call.func) and (line := _text(call.args[0])):
                found[_LOG_FIELD.sub("…", line)] = module
    return found


def modules() -> list[str]:
    """Return every module of the product; the sandbox is none of it."""
    found = (path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))
    return sorted(module for module in found if not module.startswith("sandbox"))


def texts_given_to(tree: ast.AST, name: str) -> list[str]:
    """Return the texts that stand as the first argument of calls of that name."""
    texts = (_text(call.args[0]) for call in calls(tree, name) if call.args)
    return [text for text in texts if text]


def calls(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    """Yield the calls of a function or method of that name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            if getattr(called, "id", getattr(called, "attr", None)) == name:
                yield node


def first_sentence(text: str) -> str:
    """Return the beginning of a text, as it serves for a heading.

    >>> first_sentence("… is missing. … is set; this program reads ….")
    '… is missing.'
    """
    text = re.sub("…+", "…", text.strip())
    end = _FIRST.search(text)
    return text[: end.end()] if end else text


def _not_said(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value  # a docstring
        elif isinstance(node, ast.JoinedStr):
            yield from node.values
        elif isinstance(node, ast.BinOp):
            yield from (node.left, node.right)
        elif isinstance(node, ast.Call) and _is_log(node.func):
            yield from ast.walk(node)


def _is_log(called: ast.expr) -> bool:
    return (
        isinstance(called, ast.Attribute)
        and isinstance(called.value, ast.Name)
        and called.value.id == "log"
    )


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        parts = (_text(part) for part in node.values)
        return "".join("…" if part is None else part for part in parts)
    return None
