"""Numbers that PyTorch 2.13 computed, stored so that the suite needs no torch; `case` reads them."""
