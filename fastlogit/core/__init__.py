"""What every other part of the package may use, and what imports nothing of it."""
