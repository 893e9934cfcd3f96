"""What the scores are worth: agreement of MI with every metric."""
