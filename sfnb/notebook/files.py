"""Where the notebooks are."""

from __future__ import annotations

from pathlib import Path

from sfnb.errors import CallerError


def folder() -> Path:
    """Where the notebooks are: within the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    return next(f for f in (package / "notebooks", package.parent / "notebooks") if f.is_dir())


def find_notebook(name: str) -> Path:
    """
    The notebook at that path, or the one of that name that comes with sfnb.

    Raises:
        CallerError: there is none.
    """
    path = Path(name)
    own = folder() / (path.name if path.suffix == ".ipynb" else f"{path.name}.ipynb")
    if path.is_file():
        return path
    if len(path.parts) == 1 and own.is_file():
        return own
    known = ", ".join(sorted(p.stem for p in folder().glob("*.ipynb")))
    raise CallerError(f"There is no notebook {name}. Those that come with sfnb: {known}.")
