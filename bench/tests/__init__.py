"""Tests against wrong figures: statistics, verdicts, implementations and tables."""
