"""One module for each format: `ask(Ask) -> Meaning | Failure`, by the official client.

The same reader reads a recording (straight from the replay) and what Weir makes of one (through the running Weir).
"""
