"""Tables of any format, read and written batch by batch; this package knows nothing of models.

table, errors   the contract of a table that can be read, and errors that name file and row
source, sink    open anything to read it, open a file to write it
stream, spool   sources that can be read only once, and their copies on disk
formats         the table of file formats; file_format is the contract of one
parquet, arrow_ipc, csv, npy, libsvm
                one file a format, for reading and writing
array, frame, dask_frame, folder
                tables that are no single file: arrays, columns in memory, functions that give
                them, Dask, many files
record_batches, text_file, csv_options
                parts that several formats share
"""
