"""The command tree, loaded command by command; its errors and exit codes."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import click

from gitml.cli.groups import CommandGroup
from gitml.errors import GitmlError
from gitml.signals import interruptible
from gitml.text import escape_controls
from gitml.version import __version__

_INTERRUPTED = 130  # as shells count: 128 + SIGINT
_COMMANDS = {
    "init": ("setup", "Set up a repository for tracking."),
    "demo": ("demo", "Create a repository with scripts, runs, a model and a dashboard to try out."),
    "doctor": ("doctor", "Check git, remotes, DVC and the records, and suggest fixes."),
    "status": ("status", "Show the state of the clone and what is not pushed yet."),
    "ui": ("site", "Build the dashboard, open it in the browser and keep it up to date."),
    "runs": ("runs", "List, show, compare, search, delete and restore runs."),
    "metrics": ("metrics", "Show the history of metrics."),
    "experiments": ("experiments", "List, create, rename, delete and restore experiments."),
    "artifacts": ("artifacts", "List and download the files of runs and models."),
    "registry": ("registry", "Register models, move them through stages and show their history."),
    "blame": (
        "blame",
        "Trace a model to its run, code and data, or these to live models.",
    ),
    "site": ("site", "Build and serve the dashboard."),
    "push": ("sync", "Send artifacts, runs and model tags to the remotes."),
    "pull": ("sync", "Fetch and merge the team's runs and model tags."),
    "sync": ("sync", "Pull, then push."),
    "remote": ("remote", "Choose where artifacts are stored."),
    "fsck": (
        "fsck",
        "Check records, artifacts, tags and local state, and repair them.",
    ),
    "gc": ("gc", "Remove artifacts that no run and no model version needs."),
}
"""Module and first line of help of each command: ``gitml --help`` loads none of them."""

_EPILOG = """\b
Complete commands with the Tab key, once per shell:
  bash  eval "$(_GITML_COMPLETE=bash_source gitml)"    in ~/.bashrc
  zsh   eval "$(_GITML_COMPLETE=zsh_source gitml)"     in ~/.zshrc
  fish  _GITML_COMPLETE=fish_source gitml | source     in ~/.config/fish/config.fish

\b
Exit codes: 0 done, 1 failed, 2 wrong usage or input, 3 not found, 4 a gate failed,
130 and 143 ended by Ctrl-C and by SIGTERM."""


class Failure(click.ClickException):
    """A failure that is reported in one sentence.

    Args:
        message: The sentence.
        hint: What to do next.
        code: What the process exits with.
    """

    def __init__(self, message: str, hint: str | None = None, code: int = 1) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code


class Program(CommandGroup):
    """The root command: loads a command when it is used and reports every failure in a sentence."""

    synonyms: Mapping[str, str] = {
        "check": "registry check", "compare": "runs compare", "download": "artifacts download",
        "history": "registry history", "list": "runs list", "log": "runs list", "ls": "runs list",
        "model": "registry", "models": "registry", "promote": "registry propose",
        "run": "runs", "server": "ui", "show": "runs show", "verify": "registry verify",
    }  # fmt: skip

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order of the help."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command."""
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"gitml.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without loading any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except GitmlError as error:
            raise Failure(error.message, error.hint, error.exit_code) from error
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except OSError as error:
            raise _system_error(error) from error
        except Exception as error:
            if ctx.params["debug"]:
                raise
            raise _unexpected(error) from error

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Run the program and exit."""
        extra["standalone_mode"] = False
        try:
            code = super().main(*args, **extra)
            sys.stdout.flush()
        except click.ClickException as error:
            code = _print_failure(error)
        except click.Abort:
            code = _INTERRUPTED
        except BrokenPipeError:  # whoever read the output has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 1
        except OSError as error:
            code = _print_failure(_system_error(error))
        sys.exit(code if isinstance(code, int) else 0)


def _system_error(error: OSError) -> Failure:
    path = f" ({os.fspath(error.filename)!r})" if error.filename else ""
    return Failure(f"{error.strerror or error}{path}.")


def _unexpected(error: Exception) -> Failure:
    text = " ".join(str(error).split())
    return Failure(
        f"Unexpected error: {type(error).__name__}: {text:.300}",
        "Run the command with `gitml --debug …` for a traceback.",
    )


def _print_failure(error: click.ClickException) -> int:
    """Print a failure to stderr: a sentence, then what to do next. Returns the exit code."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return error.exit_code
    click.echo(f"error: {escape_controls(error.format_message())}", err=True)
    hint = error.hint if isinstance(error, Failure) else None
    if isinstance(error, click.UsageError) and error.ctx:
        hint = f"See `{error.ctx.command_path} --help`."
    if hint:
        click.echo(f"hint: {escape_controls(hint)}", err=True)
    return error.code if isinstance(error, Failure) else error.exit_code


@click.group(cls=Program, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gitml", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an unexpected error.")
@click.pass_context
def gitml(ctx: click.Context, debug: bool) -> None:
    """MLflow without the server: your git repository is the tracking server and the registry."""
    from gitml.cli.consent import asking_on_terminal

    ctx.with_resource(asking_on_terminal())


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit; the entry point ``gitml``."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that cannot show a letter gets its escape
            stream.reconfigure(errors="backslashreplace")
    with interruptible() as interruption:
        try:
            gitml.main(args, prog_name="gitml")
        except KeyboardInterrupt:  # while a failure was printed
            sys.exit(interruption.exit_code)
        except SystemExit:
            if interruption.signal == signal.SIGTERM:  # also where a server took it for Ctrl-C
                sys.exit(interruption.exit_code)
            raise
