"""What is known of a source before anything of it is read: one file each. How it is read: `store/sources/`."""
