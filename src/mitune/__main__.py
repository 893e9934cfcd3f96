"""`mitune`: the project's command line, the same as `kedro` in the project folder."""

from pathlib import Path

from kedro.framework.cli.cli import KedroCLI


def main() -> None:
    """Run the Kedro command line for this project."""
    KedroCLI(project_path=Path.cwd())()


if __name__ == "__main__":
    main()
