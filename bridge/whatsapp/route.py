"""The way to the API host: address, proxy and TLS, settled once at the start."""

from __future__ import annotations

import ipaddress
import os
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_environ_proxies, select_proxy
from urllib3.util.ssl_ import create_urllib3_context

from bridge.errors import SettingsError
from bridge.whatsapp.connection import CURRENT, POOLS


def checked(api_url: str) -> str:
    """Return the API address without a trailing slash.

    Raises:
        SettingsError: it is no web address, or the token would travel unprotected.
    """
    try:
        parts = urlsplit(api_url.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or not _is_safe(parts.scheme, host) or parts.username or parts.query:
        raise SettingsError([_BAD_ADDRESS])
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def open_session(base: str, size: int) -> requests.Session:
    """Return a session that can reach this API and nothing else.

    Proxies are read from the environment here, once; loopback is never proxied.

    Args:
        base: what ``checked`` returned.
        size: how many requests may be under way at once.
    """
    session = _Session()
    session.mount(base, _Adapter(base, size))
    return session


_BAD_ADDRESS = (
    "GREEN_API_URL must look like https://api.green-api.com"
    " (plain http:// only towards this machine)."
)


class _Session(requests.Session):
    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.adapters.clear()  # no way out but through our own adapter

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        # With ``allow_redirects=False`` requests still reads the whole body of a
        # redirect into memory and prepares the next request.
        return None


class _Adapter(HTTPAdapter):
    """Sends everything to one host, through connections that are watched."""

    def __init__(self, base: str, size: int) -> None:
        super().__init__(max_retries=0)
        proxy = _proxy_for(base)
        options: dict[str, Any] = {
            "maxsize": size,
            "block": True,  # wait for a free one; never throw one away
        }
        if base.startswith("https:"):
            options["ssl_context"] = _tls_context()  # one: the CAs take 27 ms to read
        manager = (
            urllib3.ProxyManager(
                proxy, proxy_headers=self.proxy_headers(proxy), **options
            )
            if proxy
            else urllib3.PoolManager(**options)
        )
        manager.pool_classes_by_scheme = POOLS
        self._pool = manager.connection_from_url(base)

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> Any:
        CURRENT.get().untouched = True  # from here on only our own pool can send
        return self._pool

    def cert_verify(self, *_: Any) -> None:
        # The context verifies, always; requests would load the CAs again each time.
        pass

    def close(self) -> None:
        self._pool.close()
        super().close()


def _is_safe(scheme: str, host: str) -> bool:
    return scheme == "https" or (scheme == "http" and _is_loopback(host))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _proxy_for(base: str) -> str | None:
    if _is_loopback(urlsplit(base).hostname or ""):
        return None  # a proxy would read the token, and can't reach this machine
    proxy = select_proxy(base, get_environ_proxies(base, no_proxy=None))
    if proxy and "://" not in proxy:
        proxy = f"http://{proxy}"
    if proxy and not proxy.startswith(("http://", "https://")):
        raise SettingsError(["Only http:// and https:// proxies are supported."])
    return proxy


def _tls_context() -> ssl.SSLContext:
    context = create_urllib3_context()  # checks the certificate and the host name
    bundle = (
        os.environ.get("REQUESTS_CA_BUNDLE")
        or os.environ.get("CURL_CA_BUNDLE")
        or DEFAULT_CA_BUNDLE_PATH
    )
    if Path(bundle).is_dir():
        context.load_verify_locations(capath=bundle)
    else:
        context.load_verify_locations(cafile=bundle)
    return context
