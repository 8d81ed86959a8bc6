"""Sign-in, and the account of the signed-in administrator: password, two-factor, API tokens."""
