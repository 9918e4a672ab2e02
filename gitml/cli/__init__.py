"""The command line: ``gitml <noun> <verb>``. The only importer of click and rich.

::

    program.py    the command tree, loaded command by command; exit codes; errors in one sentence
    cells.py      what stands in tables: times, ids, sizes, metrics                        pure
    output.py     tables, facts and JSON on stdout, talk on stderr
    progress.py   progress bars                                                            rich
    options.py    options and arguments that several commands take
    lookup.py     which run or experiment a user means
    doctor_checks.py  what ``gitml doctor`` looks at
    <noun>.py     the commands
"""

from gitml.cli.program import main

__all__ = ["main"]
