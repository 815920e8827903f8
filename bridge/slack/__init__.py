"""Slack's side: what it sends us, what we post, and in which format."""
