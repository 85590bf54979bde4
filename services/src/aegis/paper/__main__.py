"""`python -m aegis.paper`: the paper venue as a program."""

from aegis.paper.bootstrap import build
from aegis_sdk.program import run

if __name__ == "__main__":
    run(build)
