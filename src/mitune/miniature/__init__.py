"""The embedded world: scenes, captions, a renderer, a judge, and models trained on them."""
