"""Tests of what would be a wrong figure: statistics, verdicts, references and tables."""
