"""Run the driver: ``python -m soc.demo.driver --home DIR --platform URL --suite URL …``."""

import argparse
import sys
from pathlib import Path

from soc.demo.driver.play import Options, play
from soc.simulate import FULL, SMALL, plan

SIZES = {"full": FULL, "small": SMALL}


def arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m soc.demo.driver", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="the platform's home")
    parser.add_argument("--platform", required=True, help="address of the platform")
    parser.add_argument("--suite", required=True, help="address of the suite's front door")
    parser.add_argument("--suite-token-file", type=Path, required=True, help="of who approves")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--day-seconds", type=float, default=6.0)
    parser.add_argument("--size", choices=sorted(SIZES), default="full")
    return parser.parse_args()


def say(line: str) -> None:
    """Print *line* at once."""
    sys.stdout.write(line)
    sys.stdout.flush()


def main() -> None:
    """Play the round of the seed from beginning to end."""
    given = arguments()
    options = Options(
        home=given.home,
        platform=given.platform,
        suite=given.suite,
        suite_token=given.suite_token_file.read_text(encoding="utf-8").strip(),
        day_seconds=given.day_seconds,
    )
    play(plan(given.seed, SIZES[given.size]), options, say)


if __name__ == "__main__":
    main()
