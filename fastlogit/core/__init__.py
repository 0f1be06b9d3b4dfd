"""Threads, checks of arguments, atomic files and small linear algebra: what every floor uses."""
