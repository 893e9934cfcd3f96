"""The models that a workflow makes and compares, by name."""

MAX_ROUNDS = 3
CONTROLS = ("random_k", "lowest_k")
ARMS = ("base", *CONTROLS, *(f"round_{number}" for number in range(1, MAX_ROUNDS + 1)))
