"""Worked examples, to read from top to bottom; the tests run all of them."""
