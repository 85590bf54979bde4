"""Becomes the program named by its arguments, which dies with the process that started it. Run, not imported.

    python launch.py PARENT_PID PROGRAM [ARGUMENT...]

A program of its own, because code between fork and exec may deadlock in a process that has threads. The kernel sends
the signal when the *thread* that started this one ends. SIGKILL, since it also ends a stopped process; a server
that syncs each write loses nothing by it. Elsewhere than on Linux it is a plain exec.
"""

import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the process that asked for this server is gone")
    os.execv(program[0], program)  # noqa: S606 (no shell is meant)


if __name__ == "__main__":
    main()
