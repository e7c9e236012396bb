#!/usr/bin/env python3
"""Leaves in a profile, as the text of `llvm-profdata merge --text`, the functions of which some branch ran so often.

    frequent.py LEAST < all.proftext > frequent.proftext

What runs at a start only, or once in a while, is optimised as without a profile then, and not for size, and the profile is half as large.
"""

import sys


def most(function: str) -> int:
    """How often the most frequent branch of a function ran; -1 for what is no function."""
    lines = function.split("\n")
    if "# Num Counters:" not in lines:
        return -1
    at = lines.index("# Num Counters:")
    counters = lines[at + 3 :][: int(lines[at + 1])]
    return max(map(int, counters))


def main():
    least = int(sys.argv[1])
    kind, functions = sys.stdin.read().split("\n", 1)
    print(kind)
    print("\n\n".join(function for function in functions.split("\n\n") if most(function) >= least))


if __name__ == "__main__":
    main()
