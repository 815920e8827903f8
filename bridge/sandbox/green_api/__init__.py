"""The emulated GREEN-API."""

from bridge.sandbox.green_api.sandbox import GreenApiSandbox

__all__ = ["GreenApiSandbox"]
