"""What is on the dashboards, one file each."""
