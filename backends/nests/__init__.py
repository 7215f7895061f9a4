"""Loop nests: what a kernel computes, in loops over a domain; shared by the backends that emit code."""
