"""The feature matrix X: every kind that the kernels can read, in place."""
