"""Tools that a developer may lack. Where CI runs, a missing one is a failure.

Nothing is imported before it is used: every run of pytest reads these files, and most
leave the browser alone.
"""

from __future__ import annotations

import importlib
import os
from types import ModuleType
from typing import Any, NoReturn

import pytest


def module(name: str) -> ModuleType:
    """Return a module of the extra ``e2e``, or skip the test that asks for it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        lack(f"{name} is not installed: pip install -e '.[e2e]'")


def lack(reason: str) -> NoReturn:
    """Skip for want of a tool; fail where CI runs."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def expect(actual: Any) -> Any:
    """Wait until something is so on the page: Playwright's ``expect``."""
    return module("playwright.sync_api").expect(actual)
