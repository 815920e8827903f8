"""Send WhatsApp messages from Slack and get the answer in the thread."""

__version__ = "0.1.0"
