"""Makes the profile of a model: from the rows that it learnt from, and from its answers to held-out rows.

The rows are gone over twice, batch by batch: what is held does not grow with them. First come the ends, means and
categories, and a sample of the rows, from which edges and pairs follow; then each row is counted as requests will be
(`worker.binning`). So counts, ends, means and categories are exact; the edges are the quantiles of at most
`sample.ROWS` different rows, and exact if there are no more. The same rows, in whatever order and files, give the same
document.
"""
