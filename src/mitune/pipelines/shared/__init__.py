"""What several stages use: settings, models, shards, checks before a run, its cost."""
