"""Programs of the components that come with Fairlead: one module each, run as `python -m fairlead.components.NAME`."""
