"""The Jobs that Fairlead runs: one protocol by which all of them are followed."""
