//! What `weir plugin list` and `weir plugin inspect` show: values, which the command line prints.
