"""Rows and labels of the past, from files, in the windows in which a monitor would have seen them."""
