"""Which candidates become the fine-tuning set."""
