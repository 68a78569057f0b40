"""The process in which a stranger's pattern is looked for: a script that `pattern` starts.

Knows one job, read as JSON from standard input. Ends with `FOUND` or `NOT_FOUND`, or by a signal
when its CPU time is over.
"""

import json
import re
import signal
import sys

FOUND, NOT_FOUND = 0, 1


def main() -> int:
    """Does the job, and says how the process is to end."""
    job = json.load(sys.stdin)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, job["seconds"])
    return FOUND if re.search(job["pattern"], job["text"]) else NOT_FOUND


if __name__ == "__main__":
    sys.exit(main())
