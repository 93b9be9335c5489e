"""Damaged EPUBs through the whole producer: only our own errors come out, in bounded time and memory.

Every book of the corpus in `shared/epubs` is damaged in turn, each time in other ways; what the first damages do can
be seen again by their seed. A book is read, cut, planned and accounted for. Exits with 1 when anything but an error
of ours came out.
"""

import argparse
import json
import platform
import re
import resource
import sys
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from pathlib import Path

from e2a.errors import UserError
from producer.accounting import TextDoesNotAddUp
from producer.ingest import Options, prepare
from tests.epubs import CORPUS
from tests.mutations import mutate

_NAME = re.compile(r"'[^']*'|\S*[./\d]\S*")
LARGEST = 500_000
"""Bytes of the largest EPUB that is damaged, so that there are many rounds."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Damage EPUBs and see what the producer makes of them.")
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="seed of the first")
    options = parser.parse_args()
    sources = [path for path in sorted(CORPUS.rglob("*.epub")) if _is_whole(path)]
    outcomes: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
    slowest = (0.0, 0, "")
    with tempfile.TemporaryDirectory(prefix="e2a-fuzz-") as folder:
        target = Path(folder, "book.epub")
        for seed in range(options.first, options.first + options.rounds):
            source = sources[seed % len(sources)]
            done = mutate(source, target, seed)
            started = time.monotonic()
            outcome, reason = _outcome(target)
            slowest = max(slowest, (time.monotonic() - started, seed, f"{source.name}: {done}"))
            outcomes[outcome] += 1
            refusals[_NAME.sub("…", reason.removeprefix(f"{target}: ")) if outcome == "refused" else ""] += 1
            if outcome == "bug":
                print(json.dumps({"seed": seed, "source": source.name, "done": done, "error": reason}), flush=True)
    print(json.dumps({"python": platform.python_version(), "machine": platform.machine(), "books": len(sources)}))
    print(json.dumps({"rounds": options.rounds, **outcomes}))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        json.dumps({"slowest_s": round(slowest[0], 2), "seed": slowest[1], "done": slowest[2], "peak_mb": round(peak)})
    )
    del refusals[""]
    for reason, count in refusals.most_common(8):
        print(json.dumps({"refused": reason, "times": count}, ensure_ascii=False))
    sys.exit(1 if outcomes["bug"] else 0)


def _is_whole(path: Path) -> bool:
    if path.stat().st_size > LARGEST or not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return archive.testzip() is None and _outcome(path)[0] == "read"


def _outcome(path: Path) -> tuple[str, str]:
    try:
        prepare(path, Options(engine="simulated"))
    except TextDoesNotAddUp as error:
        return "bug", str(error)
    except UserError as error:
        return "refused", str(error)
    except Exception:  # noqa: BLE001 - that none comes here is what is measured
        return "bug", traceback.format_exc(limit=-3)
    return "read", ""


if __name__ == "__main__":
    main()
