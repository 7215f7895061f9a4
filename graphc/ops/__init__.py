"""The primitive ops, one declaration each; importing this package registers them."""
