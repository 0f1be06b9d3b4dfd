"""A trained model: coefficients, predictions, its file, its statistics, and conversion.

model       `LogisticModel`
input       checks of the X and the offset of a prediction
statistics  p-values, intervals, and the summary table
fields      the fields of a model, checked
file        a model as JSON
conversion  models of scikit-learn and statsmodels
"""
