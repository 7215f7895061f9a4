"""Benchmarks against torch, torch.compile, JAX and onnxruntime: `python -m benchmarks`, or `graphc bench`.

docs/benchmarks.md says how to run them, what makes them fair and how to read them.
"""
