"""The CPU backend: regions become native kernels, generated as readable Python and compiled by Numba."""
