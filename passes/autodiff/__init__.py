"""Derivatives as passes: reverse and forward mode, any order."""
