"""What made each dataset, whether that still holds, and why not."""
