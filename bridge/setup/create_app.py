"""The link that creates the Slack app.

``manifest.yml`` in the repository is the truth, with a reason beside each scope; it is
not part of the installed package. A test holds this text, and the link in the README,
to it.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from bridge.slack.check import SCOPES

_MANIFEST: Final = """\
_metadata:
  major_version: 1
  minor_version: 1
display_information:
  name: WhatsApp Bridge
  description: Send WhatsApp messages from Slack and get the answer in the thread
  background_color: '#075e54'
features:
  app_home:
    home_tab_enabled: false
    messages_tab_enabled: true
    messages_tab_read_only_enabled: false
  bot_user:
    display_name: bridge
    always_online: true
  slash_commands:
  - command: /whatsapp
    description: Send a WhatsApp message
    usage_hint: <number> <text> | status | help
    should_escape: true
oauth_config:
  scopes:
    bot:
{scopes}settings:
  interactivity:
    is_enabled: true
  org_deploy_enabled: false
  socket_mode_enabled: true
  token_rotation_enabled: false
"""


def link() -> str:
    """Return the address where Slack offers to create the app as it should be."""
    scopes = "".join(f"    - {scope}\n" for scope in SCOPES)
    manifest = quote(_MANIFEST.format(scopes=scopes), safe=":")
    return f"https://api.slack.com/apps?new_app=1&manifest_yaml={manifest}"
