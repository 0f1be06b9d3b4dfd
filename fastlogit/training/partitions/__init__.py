"""Rows that are not in memory together: read again in every pass, from files or by a cluster.

Each file imports only files that are listed below it.

``first_read``   one read of all rows, and the problem that it finds
``dataset``      the dataset whose passes read the rows again
``streamed``     the batches of a table, read by threads of this process
``checksums``    whether each read gives the rows of the first one
``survey``       the task of the first read: labels, categories, weights, a sample
``row_reader``   the rows of a batch, as a pass needs them
``row_samples``  samples that are drawn batch by batch
``contract``     the contract of a source of rows, its tasks, and the tree that merges their results

To read rows from another place, subclass `contract.Partitions`.
"""
