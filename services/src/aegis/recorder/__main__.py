"""`python -m aegis.recorder`: the recorder as a program."""

from aegis.recorder.bootstrap import build
from aegis_sdk.program import run

if __name__ == "__main__":
    run(build)
