"""``bridge doctor``: what is wrong with an installation, and what to do about it.

::

    Case ─▶ checks (slack, green_api, webhook, here, machine) ─▶ Findings ─▶ report
                                     └ what can be mended ─▶ mend ─▶ asks, changes

A check only looks, and never raises for what it finds. ``mend`` alone changes
something, after it has shown what. The pure parts are ``findings`` and ``wishes``.
"""
