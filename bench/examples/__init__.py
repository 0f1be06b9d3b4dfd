"""Worked examples, to be read from top to bottom; the tests run all of them."""
