"""`python -m aegis.marketdata.health`: the health agent as a program."""

from aegis.marketdata.health.bootstrap import build
from aegis_sdk.program import run

if __name__ == "__main__":
    run(build)
