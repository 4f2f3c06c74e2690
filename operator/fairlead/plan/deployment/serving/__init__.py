"""The versions' pods, how many there are, and the gateway in front of them."""
