"""A trained model: coefficients, predictions, its file, its statistics, and conversion.

model       `LogisticModel`
predictions probabilities and labels from logits
input       checks of the X and the offset of a prediction
statistics  p-values, intervals and likelihoods
summary     the table of estimates
fields      the fields of a model, checked
file        a model as JSON
conversion  models of scikit-learn and statsmodels
export      models in the languages of other tools
"""
