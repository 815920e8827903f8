"""What the bridge promises, while everything around it goes wrong.

::

    python -m chaos ─┬─ plan      who types what, what fails when: one seed, JSON
                     ├─ stage     emulators, fault proxies, bridges in processes
                     ├─ actors    one function for each kind of step
                     ├─ witness   what people and the networks saw, as plain data
                     ├─ referee   the invariants: lost, doubled, not true …
                     ├─ table     the ledger of a run
                     └─ mutants   known faults to plant: the harness has to find them

A run is a series of rounds. Each has a fresh database and a plan of its own, so what
fails is small enough to read, and ``--plan`` plays it again. Replayed are the steps and
their times, not the turns of the machine's scheduler.
"""
