"""The tests. `tests/run.py` runs them; `tests/lib` has what they share."""
