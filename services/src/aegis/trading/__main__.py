"""`python -m aegis.trading`: the trading service as a program."""

from aegis.trading.bootstrap import build
from aegis_sdk.program import run

if __name__ == "__main__":
    run(build)
