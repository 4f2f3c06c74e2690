"""The way of a candidate: start, warm, compare, advance or take back."""
