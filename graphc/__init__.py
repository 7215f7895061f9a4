"""graphc: neural networks declared as graphs, compiled to readable kernels."""
