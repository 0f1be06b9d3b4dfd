"""Tables of any format, read and written batch by batch; knows nothing of models."""
