"""Save again and again, to be killed by the tests. Usage: saver.py PATH

For each line "FIRST COUNT" on the input, a fork of this process (which starts faster than a new one) saves the numbers
FIRST, FIRST + 1, ... COUNT times. The output: "pid" and its number; each number once its save has returned; "ended".
"""

import os
import sys

from tests.checkpoint.samples import uniform
from thalweg.checkpoint import write


def say(text):
    os.write(1, f"{text}\n".encode())


def main(path):
    write(path, uniform(0))  # so that everything is imported
    for line in sys.stdin:
        first, count = map(int, line.split())
        pid = os.fork()
        if pid == 0:
            say(f"pid {os.getpid()}")
            for number in range(first, first + count):
                write(path, uniform(number))
                say(number)
            os._exit(0)
        os.waitpid(pid, 0)
        say("ended")


if __name__ == "__main__":
    main(sys.argv[1])
