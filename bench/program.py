"""How the benchmarks call a program."""
import subprocess
import sys


def output(program, *arguments):
    """What `program` prints, bytes; ends the benchmark with its message where it cannot start or fails."""
    try:
        done = subprocess.run([program, *map(str, arguments)], capture_output=True)
    except OSError as error:
        sys.exit(f"{program}: {error.strerror}; build it with: make build")
    if done.returncode:
        sys.exit(done.stderr.decode() or f"{program}: status {done.returncode}")
    return done.stdout
