"""Play demo rounds of several seeds and grade each: ``make trial-seeds`` (seeds 1 to 5)."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def play(seed: int, home: Path) -> dict[str, object]:
    """Play one round; return what the command prints."""
    command = [
        sys.executable,
        "-m",
        "soc.cli.main",
        "demo",
        "--seed",
        str(seed),
        "--home",
        str(home),
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        raise RuntimeError(f"soc demo ended with {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


def grade(home: Path, port: int) -> subprocess.CompletedProcess[str]:
    """Serve the home and grade it."""
    serve = [
        sys.executable,
        "-m",
        "soc.cli.main",
        "serve",
        "--home",
        str(home),
        "--port",
        str(port),
    ]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = next(line.split()[1] for line in server.stdout if line.startswith("ready "))
            grader = [sys.executable, str(ROOT / "tests/scenarios/grade.py"), str(home), url]
            token = str(home / "tokens" / "viewer")
            return subprocess.run([*grader, token], capture_output=True, text=True, check=False)
        finally:
            server.terminate()


def main() -> int:
    """Play and grade the seeds that are named."""
    failed = []
    for seed in map(int, sys.argv[1:]):
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder) / "home"
            result = play(seed, home)
            graded = grade(home, 0)
            print(f"seed {seed}: {json.dumps(result['wallets'])}")
            print(graded.stdout, flush=True)
            if graded.returncode:
                failed.append(seed)
    print(f"{len(sys.argv) - 1 - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
