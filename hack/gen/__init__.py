"""Generators: what is written once in operator/fairlead/api becomes CRDs, reference, RBAC and chart parts."""
