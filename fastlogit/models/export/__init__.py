"""Trained models in the languages of other tools.

methods     the methods of a model
onnx        a graph of ONNX operators
pmml        a regression model in PMML
sklearn     a fitted estimator of scikit-learn
names       names that are not taken
sql         an expression or a query
dialects    how databases spell names, numbers and texts
"""
