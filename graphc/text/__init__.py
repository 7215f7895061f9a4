"""The IR as text: print, parse, compare."""
