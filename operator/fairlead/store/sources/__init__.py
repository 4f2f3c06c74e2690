"""How a source is read: one file each. What is known of it before: `plan/sources/`."""
