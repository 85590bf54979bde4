"""`python -m aegis.marketdata`: the market data service as a program."""

from aegis.marketdata.bootstrap import build
from aegis_sdk.program import run

if __name__ == "__main__":
    run(build)
