"""The methods about the account: state, settings, restart.

Source: https://green-api.com/en/docs/api/account/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.sandbox.green_api.answers import Call, json_body
from bridge.sandbox.green_api.settings import check_settings

if TYPE_CHECKING:
    from bridge.sandbox.green_api import GreenApiSandbox


def get_state_instance(green: GreenApiSandbox, _: Call) -> object:
    """Return the state."""
    return {"stateInstance": green.state}


def get_settings(green: GreenApiSandbox, _: Call) -> object:
    """Return the settings in force, which a restart may be about to change."""
    with green.instance.changed:
        return {
            "wid": green.instance.wid,
            "typeInstance": "whatsapp",
            **green.instance.settings,
        }


def set_settings(green: GreenApiSandbox, call: Call) -> object:
    """Merge settings; they hold after the restart this causes."""
    changes = json_body(call)
    check_settings(changes)
    green.instance.restart(changes)
    return {"saveSettings": True}


def get_wa_settings(green: GreenApiSandbox, _: Call) -> object:
    """Return what is known of the linked account."""
    wid = green.instance.wid
    return {
        "avatar": "",
        "phone": wid.partition("@")[0],
        "stateInstance": green.state,
        "deviceId": f"{wid.partition('@')[0]}:1@c.us" if wid else "",
    }


def reboot(green: GreenApiSandbox, _: Call) -> object:
    """Restart the instance."""
    green.instance.restart({})
    return {"isReboot": True}
