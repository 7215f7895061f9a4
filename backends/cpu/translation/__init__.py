"""Kernels, written in a small part of Python, as LLVM modules; `translate` is where to begin."""
