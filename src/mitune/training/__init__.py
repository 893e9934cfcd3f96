"""Fine-tuning: one loop for all losses, adapters, and at which timesteps."""
