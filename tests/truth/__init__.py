"""A world in one thread: the real bridge between two simulated networks.

::

    scenarios ─▶ World: one Life of the bridge after another, on one SQLite file
                   ├── SimulatedGreenApi: what really happened, and what it tells
                   ├── SimulatedSlack: what people see
                   └── Doom: dies at the n-th commit or call
    invariants ─▶ what must be true of the world, whatever happened

Time is a number that the scheduler moves on; nothing sleeps, nothing is random.
"""
