"""The real engine against a simulated cluster, in virtual time."""
