"""Benchmarks against torch, torch.compile and JAX: `python -m benchmarks` and `python -m benchmarks cold`.

docs/benchmarks.md says how to run them, what makes them fair and how to read them.
"""
