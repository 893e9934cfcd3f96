"""Every fine-tuning method on one bench: same base, same candidates, same steps."""
