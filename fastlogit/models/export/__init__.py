"""Trained models in the languages of other tools.

=========  =============================================================
onnx       a graph of standard ONNX operators
sklearn    a fitted estimator of scikit-learn
=========  =============================================================
"""
