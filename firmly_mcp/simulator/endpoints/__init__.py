"""The endpoints by group, as the contract's section 5 has them. Each function takes a Call and returns an Answer."""
