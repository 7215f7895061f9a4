"""Tracing Python functions into graphs."""
