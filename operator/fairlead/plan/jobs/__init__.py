"""What became of the Jobs that Fairlead runs, read from the API's fields."""
