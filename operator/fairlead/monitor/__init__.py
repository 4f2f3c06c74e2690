"""What is watched of a live model: from counts to what is known. Pure, and the same in the cluster and on files."""
