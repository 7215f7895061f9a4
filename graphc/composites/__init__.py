"""Named composites: builder functions over primitives, with their own gradients where better."""
