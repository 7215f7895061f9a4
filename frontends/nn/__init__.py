"""Modules and layers, under torch.nn's names."""
