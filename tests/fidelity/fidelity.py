"""The fidelity matrix: `python fidelity.py [--sample] [--write FILE] [--jobs N] [ID...]`."""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import report
import sending
from data import FIXTURES, Recording, recordings
from document import document, line
from gateway import adapter, dialects
from matrix import Bench, Result
from sample import sample
from sending import Outcome

DEMANDED = 0.99


def main() -> int:
    words = arguments()
    if not FIXTURES.is_dir():
        print("skipped: there are no recordings beside the repository (../shared/fixtures)")
        return 0
    known, unknown = readable(recordings())
    chosen = [it for it in known if any(it.id.startswith(id) for id in words.ids)] if words.ids else known
    if words.sample:
        chosen = sample(chosen)
    targets = None if words.answers else sending.targets(known)
    results, sent = run(chosen, targets, words.jobs)
    outcome = report.Report(results)
    tell(outcome, sent, unknown, is_all=words.ids == [] and not words.sample)
    if words.write:
        Path(words.write).write_text(document(outcome, unknown, sent))
    return verdict(outcome, sent)


def readable(found: list[Recording]) -> tuple[list[Recording], list[str]]:
    """The recordings for which an adapter is built, and the names of the others' providers."""
    known = [it for it in found if adapter(it.provider, it.format)]
    names = [{f"{it.provider} · {it.format}" for it in group} for group in (found, known)]
    return known, sorted(names[0] - names[1])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ids", nargs="*", help="ids of recordings, or their beginnings; all by default")
    parser.add_argument("--sample", action="store_true", help="a fixed sample: five recordings of each row")
    parser.add_argument("--answers", action="store_true", help="answers only, no recorded requests")
    parser.add_argument("--write", metavar="FILE", help="write the report as Markdown")
    parser.add_argument("--jobs", type=int, default=2, help="benches at the same time")
    return parser.parse_args()


def run(chosen: list[Recording], targets: dict | None, jobs: int) -> tuple[list[Result], list[Outcome]]:
    jobs = max(1, min(jobs, len(chosen) // 10))
    results, sent = [], []
    with ProcessPoolExecutor(jobs) as pool:
        for part in pool.map(work, [chosen[at::jobs] for at in range(jobs)], [targets] * jobs):
            results += part[0]
            sent += part[1]
    return sorted(results, key=lambda it: it.recording.id), sorted(sent, key=lambda it: it.recording.id)


def work(part: list[Recording], targets: dict | None) -> tuple[list[Result], list[Outcome]]:
    bench = Bench(part, [answer for answers in (targets or {}).values() for answer in answers.values()])
    try:
        results = [result for it in part for result in bench.try_out(it)]
        if targets is None:
            return results, []
        sender = sending.Sender(bench.replay, bench.gateway)
        right = [it for it in part if it.status == 200 and it.format in dialects()]
        return results, [outcome for it in right for outcome in sender.send_all(it, targets)]
    finally:
        bench.close()


def tell(outcome: report.Report, sent: list[Outcome], unknown: list[str], is_all: bool):
    print(report.text(outcome.by_provider()))
    print()
    if unknown:
        print(f"no adapter is built for: {', '.join(unknown)}")
    for it in outcome.failed:
        print(report.line(it))
    for it in sent:
        if not it.is_right:
            print(f"request: {line(it)}")
    for it in outcome.exceptions.idle() if is_all else []:
        print(f"this exception excuses nothing: {it['ids']}, {it['reason']}")
    total, streams = outcome.total(), outcome.streams()
    print(f"the same in meaning: {total} ({share(total):.2%}), of these streams {streams} ({share(streams):.2%})")
    print(f"exceptions: {len(outcome.excepted)}, unexplained differences: {len(outcome.failed)}")
    print(f"requests: {sum(it.is_right for it in sent)}/{len(sent)}, of these refused for a listed reason: "
          f"{sum(it.reason is not None for it in sent)}")


def share(count: report.Count) -> float:
    return count.passed / count.all if count.all else 1.0


def verdict(outcome: report.Report, sent: list[Outcome]) -> int:
    """The exit code: 0 if every difference is explained and there are few of them."""
    wrong = [it for it in sent if not it.is_right]
    return 1 if outcome.failed or wrong or share(outcome.total()) < DEMANDED else 0


if __name__ == "__main__":
    sys.exit(main())
