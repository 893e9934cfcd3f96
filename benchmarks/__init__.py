"""What mitune costs, beside what one would use otherwise: ratios in one run."""
