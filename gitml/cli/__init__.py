"""The command line: ``gitml <noun> <verb>``. The only importer of click and rich.

::

    program.py    the command tree, loaded command by command; errors and exit codes
    cells.py      cells of tables: times, ids, sizes, metrics                              pure
    columns.py    columns of tables of runs                                                pure
    output.py     tables, facts and JSON on stdout, remarks on stderr
    progress.py   progress bars                                                            rich
    groups.py     groups of commands that answer a wrong name with what was probably meant
    options.py    options and arguments that several commands take
    lookup.py     the run or experiment that an id or a name stands for
    doctor_checks.py  the checks of ``gitml doctor``
    <noun>.py     the commands
"""

from gitml.cli.program import main

__all__ = ["main"]
