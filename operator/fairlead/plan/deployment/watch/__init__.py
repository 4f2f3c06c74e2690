"""The live version after its promotion: windows, detectors, the ledger."""
