"""One module for each format: `ask(Ask) -> Meaning | Failure`, with the official client.

The same reader reads a recording (straight from the replay) and its translation (from the running Weir).
"""
