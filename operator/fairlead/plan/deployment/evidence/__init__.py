"""What is counted, how far it has been read, and the ledger in which it stands."""
