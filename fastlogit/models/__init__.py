"""A trained model: coefficients, predictions, its file, its statistics, and conversion."""
