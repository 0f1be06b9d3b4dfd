"""Tables that are trained on: labels, features, weights and offsets from columns.

Each file imports only files that are listed below it.

``reading``      a whole table as features and targets (:func:`fastlogit.scoring.read_table`)
``features``     the meaning of all rows together: features, notes and errors about columns
``columns``      a batch: its columns by role, without rows that miss a value
``labels``       the labels as targets t, or compared with a model's classes
``roles``        which columns are features, targets, weights and offsets
``categories``   the categories of text columns, and why a column can have none
"""
