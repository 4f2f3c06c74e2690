"""The kernel: watches, queue, leader lease, writes, metrics. Knows no kind."""
