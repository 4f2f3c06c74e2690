"""The demo's own code: what an airline's team would write. Nothing in here knows of Fairlead."""
