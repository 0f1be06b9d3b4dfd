"""Trained models in the languages of other tools.

methods     the methods of a model
sql         an expression or a query
dialects    how databases spell names, numbers and texts
"""
