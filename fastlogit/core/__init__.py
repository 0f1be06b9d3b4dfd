"""What every floor above the kernels uses.

checks      users' arguments: shapes, dtypes, ranges
threads     parts of a task on several cores
memory      bytes of memory of the machine or the container
control_groups
            limits of Linux's control groups, for the two above
files       atomic replacement, and files that must differ
fingerprint hashes of what identifies a run
linalg      inverses, variances and dependent columns of a Hessian
gauge       directions of K classes' parameters in which no loss changes
arrow       Arrow's arrays and NumPy's
pipeline    work in threads with results in order
ulp         errors in units in the last place
docstrings  parameters that several docstrings share
warning     warnings that point to the caller
version     the version of fastlogit
"""
