"""The brain: pure decisions. A snapshot in, a Plan out. No I/O, no clock, no randomness."""
