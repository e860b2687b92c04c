"""Measures leadworker at its reference load, each figure beside its plain twin in the same run (``make bench``).

Absolute times depend on the machine and on what else it does; the ratios are what counts.
"""
