"""Passes: every one takes a graph and gives a graph."""
