"""python -m bench: measure, print the table, write docs/performance.md and bench/results.json."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
import time
import traceback
from collections.abc import Sequence

from bench.machine import machine
from bench.registry import GROUPS, Group, Scale
from bench.report import terminal_table, write_document, write_results
from bench.results import Results

# In the order of the table; imported for their rows.
for _module in (
    "kubernetes_lists",
    "watch_latency",
    "watch_intake",
    "fan_out",
    "log_tails",
    "log_throughput",
    "outage",
    "training_history",
    "unary_overhead",
):
    importlib.import_module(f"bench.{_module}")


def main(arguments: Sequence[str]) -> int:
    """Measure what was asked for; 1 if a group could not be measured, 2 if none was chosen."""
    options = _parse(arguments)
    groups = [group for group in GROUPS if not options.only or group.name in options.only]
    if options.list:
        _print_rows(groups)
        return 0
    # Ends what was started, as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    measured_on = machine()
    print(f"{measured_on}\n", flush=True)
    results = Results({}, {})
    failed = False
    for group in groups:
        print(f"{group.name}: measuring …", flush=True)
        begun = time.monotonic()
        try:
            results.add(group, group.measure(Scale(options.quick)))
        except Exception:  # noqa: BLE001 - the other groups can still be measured
            traceback.print_exc()
            print(f"{group.name}: failed; its rows are not measured", flush=True)
            failed = True
            continue
        print(f"{group.name}: done after {time.monotonic() - begun:.0f} s", flush=True)
    print("\n" + terminal_table(results))
    if options.quick or options.only:
        # The table is of one run: nobody can repeat one row until it looks well.
        print("\nNot all was measured in full: nothing is written.")
    elif results.rows:
        write_results(results)
        write_document(GROUPS, results, measured_on)
    return 1 if failed else 0


def _print_rows(groups: Sequence[Group]) -> None:
    for group in groups:
        print(group.name)
        for row in group.rows:
            against = f", against {', '.join(row.peers)}" if row.peers else ""
            print(f"  {row.name}{against}: {row.budget.text(row.unit)}")
        for curve in group.curves:
            print(f"  {curve.name}, by {curve.axis}")


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "only",
        nargs="*",
        metavar="GROUP",
        help="groups to measure, writing nothing; all when none is named",
    )
    parser.add_argument("--list", action="store_true", help="show the groups and their rows")
    parser.add_argument(
        "--quick", action="store_true", help="small amounts, to see that it works; writes nothing"
    )
    options = parser.parse_args(arguments)
    unknown = set(options.only) - {group.name for group in GROUPS}
    if unknown:
        parser.error(
            f"no group {', '.join(sorted(unknown))}; there are "
            f"{', '.join(group.name for group in GROUPS)}"
        )
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
