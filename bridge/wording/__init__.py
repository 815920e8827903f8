"""Every sentence the bridge says: what happened. Why. What to do."""
