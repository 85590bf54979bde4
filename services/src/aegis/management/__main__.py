"""`python -m aegis.management`: the management service as a program."""

from aegis.management.bootstrap import build
from aegis_sdk.program import run


def main() -> None:
    """What `aegis-management` runs."""
    run(build)


if __name__ == "__main__":
    main()
