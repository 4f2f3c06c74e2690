"""The Components that come with Fairlead, a file each. A file has one `BUILTIN`, and `catalog.py` names the file."""
