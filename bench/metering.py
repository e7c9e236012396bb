#!/usr/bin/env python3
"""What the log of requests, keys, limits, a budget and a line for each request add to a relayed request: its CPU without and with them.

    metering.py --weir target/release/weir --plugins plugins --tools FOLDER [--rounds 7] [--requests 12000]

FOLDER holds the programs `mock-upstream` and `loadgen` of the side-by-side benchmark. Each gateway has the first core, provider and
load have the second one; rounds alternate.
"""

import contextlib
import statistics
import time

from measured import KEY, Gateway, arguments, provider

CORES = ("0", "1")
NO_LOG = '[store]\nurl = "none"\n'
METERED = f"""
[[clients]]
name = "bench"
key = "{KEY}"
team = "all"
limits = {{ requests_per_minute = 1000000000, tokens_per_minute = 1000000000000 }}
[[budgets]]
name = "month"
for = {{ team = "all" }}
usd = 1000000000
per = "month"
"""
#: The tables of the configuration, and the least severe lines that are written to a file: requests have one at `info`.
CASES = {
    "none of them": (NO_LOG, "warn"),
    "the log": ("", "warn"),
    "a key, limits and a budget": (NO_LOG + METERED, "warn"),
    "all": (METERED, "warn"),
    "a line for each request": (NO_LOG, "info"),
}
#: Seconds until Weir has put down what only its start needed.
SETTLED = 7


def main():
    args = arguments(__doc__)
    with contextlib.ExitStack() as stack:
        upstream = provider(stack, args, CORES[1])
        gateways = {name: Gateway(stack, args, upstream, 1, rest, CORES, level) for name, (rest, level) in CASES.items()}

        def measure(count):
            return {name: gateway.measure("relayed", count, connections=32) for name, gateway in gateways.items()}

        measure(args.requests // 4)
        time.sleep(SETTLED)
        rounds = [measure(args.requests) for _ in range(args.rounds)]
    print("| with | CPU a request | more than with none |\n|---|---|---|")
    for name in CASES:
        runs = [one[name] for one in rounds]
        more = statistics.median(one[name] - one["none of them"] for one in rounds)
        print(f"| {name} | {statistics.median(runs):.1f} µs ({min(runs):.1f}–{max(runs):.1f}) | {more:.1f} µs |")


if __name__ == "__main__":
    main()
