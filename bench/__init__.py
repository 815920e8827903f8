"""How fast the bridge is, beside a bare Bolt app and beside the tutorial script.

::

    python -m bench ─┬─ rig     starts stubs and apps, each in a process of its own
                     ├─ load    types commands over HTTP or Socket Mode, times acks
                     ├─ check   nothing lost, nothing doubled, every chat in order
                     └─ table   what | baseline | bridge | ratio | goal | reached

Only ratios travel from one machine to another, so both sides of each are measured
in the same run.
"""
