"""The command line: what a person types, and what it says back."""

import typer

import pulse

app = typer.Typer(name="pulse", no_args_is_help=True, pretty_exceptions_show_locals=False)


@app.callback()
def root() -> None:
    """Watch product usage and tell who is about to leave, and why."""


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(pulse.__version__)


def main() -> None:
    """Run the command line (the console script `pulse`)."""
    app()
