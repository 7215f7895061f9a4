"""Training steps and the loop around them."""
