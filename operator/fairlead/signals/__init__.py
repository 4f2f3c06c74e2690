"""What was measured: the arms' own counters and Prometheus."""
