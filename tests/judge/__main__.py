"""`make judge DATA=FOLDER`, or `python -m tests.judge FOLDER`: what Baton says of published data, beside the truth.

The folder holds the sets in the formats that its own README describes; a set that is not there is left out. Baton is
started on a state folder that is thrown away, the files are imported by the commands that anybody uses, and the API is
asked; what no window of it reaches (services of years ago) is read from the tables. A later subject is one more file.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from tests.bench.stand import stand
from tests.judge import alike, cases, causes, duty, mixed, policies, reliability, services, shape
from tests.judge.agreement import Agreement
from tests.judge.imported import Imports

Subject = Callable[[Imports, Agreement], None]

SUBJECTS: dict[str, tuple[str, Subject]] = {
    "shape": ("runs, agents, steps, tools, handovers and durations of agent traces", shape.judge),
    "causes": ("who broke a failed run, and when", causes.judge),
    "services": ("plain traces of services", services.judge),
    "policies": ("policies replayed over recorded decisions", policies.judge),
    "mixed": ("a hundred mixed cases as batches", mixed.judge),
    "alike": ("texts that are about the same, and those about nothing that is there", alike.judge),
    "duty": ("who is asked first to decide mixed cases", duty.judge),
    "reliability": ("intervals of reliability, and what rings where nothing changed", reliability.judge),
    "cases": ("event logs as runs with human and automatic steps", cases.judge),
}


def main() -> int:
    listed = "\n".join(f"  {name:10} {words}" for name, (words, _) in SUBJECTS.items())
    parser = argparse.ArgumentParser(
        prog="make judge",
        description=__doc__,
        epilog=f"subjects:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", type=Path, help="the folder with the data sets")
    parser.add_argument(
        "--only", action="append", choices=SUBJECTS, metavar="NAME", help="this subject; may be repeated"
    )
    parser.add_argument("--port", type=int, default=8250)
    options = parser.parse_args()
    if not options.data.is_dir():
        parser.error(f"{options.data} is no folder")
    agreement = Agreement()
    with stand(options.port) as baton:
        imports = Imports(options.data, baton, agreement.say)
        for name in options.only or SUBJECTS:
            SUBJECTS[name][1](imports, agreement)
    agreement.print()
    return 0 if agreement.rows else 1


if __name__ == "__main__":
    sys.exit(main())
