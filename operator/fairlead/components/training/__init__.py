"""What components that train share: rows in, one scikit-learn Pipeline out, which the runtime `sklearn` serves.

The Pipeline has classes of scikit-learn and of the library that it is named after, and none of Fairlead's: its server
has no Fairlead.
"""
