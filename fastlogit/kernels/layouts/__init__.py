"""How the kernels read X: rows, separate columns, or compressed sparse rows."""
