"""A desk in a process of its own that outlives the terminal: started by `start`, run by `python -m`.

The new process sends its notes, one JSON object a line, through a pipe until the desk is up.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import msgspec

from aegis.operations import desk, logfiles
from aegis.operations.notes import Note, Report
from aegis.operations.plan import DeskOptions
from aegis.operations.state import StateDirectory
from aegis_sdk.errors import AegisError

__all__ = ["start"]

_MODULE: Final = "aegis.operations.detached"
_LAST: Final = ("up", "degraded", "aborted")


def start(options: DeskOptions, report: Report) -> bool:
    """Start the desk and return when it is up; whether every process is ready.

    Raises AegisError where it does not come up. Interrupted, it takes back what it began.
    """
    directory = StateDirectory(Path(options.directory))
    directory.create()
    reader, writer = os.pipe()
    with logfiles.open_log(directory.logs / "supervisor.log") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", _MODULE, str(writer), msgspec.json.encode(options).decode()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=(writer,),
        )
    os.close(writer)
    try:
        with open(reader, "rb") as notes:
            for line in notes:
                note = msgspec.json.decode(line, type=Note)
                if note.kind == "aborted":
                    raise AegisError(note.text)
                report(note)
                if note.kind in _LAST:
                    return note.kind == "up"
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
    raise AegisError(
        f"the desk ended with exit code {process.wait()} before it was up; `aegis logs supervisor` has why"
    )


def main() -> None:
    pipe, options = int(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=DeskOptions)
    os.set_inheritable(pipe, False)
    with open(pipe, "wb", buffering=0) as notes:

        def report(note: Note) -> None:
            if notes.closed:
                return
            try:
                notes.write(msgspec.json.encode(note) + b"\n")
            except BrokenPipeError:  # nobody listens any more
                notes.close()
            if note.kind in _LAST:
                notes.close()

        try:
            well = desk.run(options, report)
        except AegisError as error:
            report(Note(kind="aborted", text=str(error)))
            well = False
    sys.exit(not well)


if __name__ == "__main__":
    main()
