"""`python -m hack.demo`: the main job on real flights, shown live. See `story.py` for what happens."""
