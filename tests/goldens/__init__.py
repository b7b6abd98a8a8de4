"""What the whole program says and shows today, recorded from outside of it, so that a change of it is seen.

`python -m tests.goldens check [PART ...]` compares, `python -m tests.goldens record [PART ...]` records anew. What
differs from run to run has stable names (`scrub`). Some things are left out because they depend on how fast the
machine is: an order's steps on a terminal's screen and in the demo, and `install`.
"""
