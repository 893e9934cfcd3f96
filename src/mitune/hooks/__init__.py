"""What happens around nodes: environment, timing, tracking."""
