"""Optimizers, with torch.optim's formulas and defaults."""
