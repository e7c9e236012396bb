#!/usr/bin/env python3
"""Whether a second worker adds what the first one gives: CPU of a request with one worker and with two.

    workers.py --weir target/release/weir --plugins plugins --tools FOLDER [--rounds 7] [--requests 12000]

FOLDER holds the programs `mock-upstream` and `loadgen` of the side-by-side benchmark. On a machine of two cores, the load takes part of
both, so that the rate says little. What one worker costs another shows in CPU all the same: locks, shared lines of the caches and
work that is passed on make a request dearer. If two workers take no more CPU for a request than one, two cores serve twice as many.
Gateway, provider and load share both cores in all rounds, which alternate.
"""

import contextlib
import statistics

from measured import LANES, Gateway, arguments, provider


def main():
    args = arguments(__doc__)
    with contextlib.ExitStack() as stack:
        upstream = provider(stack, args)
        gateways = [Gateway(stack, args, upstream, workers) for workers in (1, 2)]
        print("| lane | one worker | two workers | two cores serve, by CPU |\n|---|---|---|---|")
        for lane in LANES:
            for gateway in gateways:
                gateway.measure(lane, args.requests // 4)
            rounds = [[gateway.measure(lane, args.requests) for gateway in gateways] for _ in range(args.rounds)]
            one, two = (statistics.median(runs) for runs in zip(*rounds, strict=True))
            times = sorted(2 * one / two for one, two in rounds)
            middle = statistics.median(times)
            print(f"| {lane} | {one:.1f} µs | {two:.1f} µs | {middle:.2f} times ({times[0]:.2f}–{times[-1]:.2f}) |", flush=True)


if __name__ == "__main__":
    main()
