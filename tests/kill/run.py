"""The kill test: `python -m tests.kill.run --chains 1000 --kills 20`.

A victim works off ten-step chains on one SQLite file; it is killed (SIGKILL) at moments drawn by `--seed`, and started
again. A kill counts where 20 nodes were in flight and 100 instances open. After each kill it is checked, by a file that
the steps themselves write, that nothing completed ever runs again and that only what was in flight is repeated; at the
end that every chain is completed with the output that a run without kills gives. Exit 1 on a violation.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from mainspring.machine.commands.lifecycle import CRASHES_MAX
from mainspring.machine.nodes.running import SUSPECT_CRASHES
from tests.kill import chains
from tests.kill.observed import Place, Seen, Side, see

ROOT = Path(__file__).parents[2]
BYTES_PER_CHAIN = chains.STEPS * len("X kill:500 s0 1\n") + len("S kill:500\nE kill:500 completed\n")


@dataclass
class Trial:
    """One victim's store, through all its lives."""

    folder: Path
    options: argparse.Namespace
    random: Random
    violations: list[str] = field(default_factory=list)
    executions: Counter[Place] = field(default_factory=Counter)
    allowed: Counter[Place] = field(default_factory=Counter)
    acknowledged: set[str] = field(default_factory=set)
    ended: dict[str, str] = field(default_factory=dict)
    before: Seen = field(default_factory=Seen)

    def __post_init__(self) -> None:
        self.store = self.folder / "store.db"
        self.side = Side(self.folder / "side")

    def live(self) -> subprocess.Popen[bytes]:
        """Start the victim."""
        given = ["--chains", str(self.options.chains), "--width", str(self.options.width)]
        if self.options.crashes_max:
            given += ["--crashes-max", str(self.options.crashes_max)]
        return subprocess.Popen(
            [sys.executable, "-m", "tests.kill.victim", str(self.store), str(self.side._path), *given], cwd=ROOT
        )

    def kill_at(self, size: int) -> bool:
        """Let the victim live until the side file has that size. False where it came to its end before."""
        process = self.live()
        deadline = time.monotonic() + self.options.patience
        while self.side.size() < size and process.poll() is None:
            if time.monotonic() > deadline:
                self.violations.append(f"nothing moved for {self.options.patience} s: stuck")
                break
            time.sleep(0.0005)
        killed = process.poll() is None
        process.kill()
        process.wait()
        return killed

    def finish(self) -> None:
        """Let the victim come to its end."""
        process = self.live()
        try:
            if process.wait(self.options.patience) != 0:
                self.violations.append(f"the last life ended with exit code {process.returncode}")
        except subprocess.TimeoutExpired:
            self.violations.append(f"stuck: the last life had no end within {self.options.patience} s")
            process.kill()
            process.wait()

    def check(self) -> tuple[Seen, int]:
        """After a life: what the store holds now against what it held before, and what ran meanwhile. Gives the repeats."""
        before = self.before
        ran, started, ended = self.side.news()
        now = asyncio.run(see(self.store, self.options.chains))
        for place, times in Counter(ran).items():
            if times > 1:
                self.violations.append(f"{place} ran {times} times in one life")
            if place in before.completed:
                self.violations.append(f"{place} was completed, and ran again")
        repeats = {place for place in ran if self.executions[place]}
        allowed = before.in_flight | before.waiting
        if repeats - allowed:
            self.violations.append(f"ran again without having been in flight: {sorted(repeats - allowed)[:5]}")
        if before.completed - now.completed:
            self.violations.append(f"no longer completed: {sorted(before.completed - now.completed)[:5]}")
        self.executions.update(ran)
        self.allowed.update(now.in_flight)
        self.acknowledged |= started
        self.ended |= ended
        if self.acknowledged - now.known:
            self.violations.append(f"acknowledged starts are lost: {sorted(self.acknowledged - now.known)[:5]}")
        lost = {id for id, status in self.ended.items() if now.ended.get(id, ("",))[0] != status}
        if lost:
            self.violations.append(f"acknowledged ends are lost: {sorted(lost)[:5]}")
        self.before = now
        return now, len(repeats)


def kill_all(trial: Trial) -> tuple[int, str]:
    """The kills, and a row of the table for each, once the next life has shown what was repeated. Gives how many counted,
    and the row that is left."""
    options = trial.options
    header = f"{'kill':>5}{'counted':>9}{'open':>11}{'in flight':>11}{'suspects':>11}{'completed':>11}{'repeated':>10}"
    row = ""
    counted = tried = 0
    while counted < options.kills and tried < 3 * options.kills:
        tried += 1
        # Spread over what is left of the work; some strike just after the start, in the middle of recovery.
        left = options.chains * BYTES_PER_CHAIN - trial.side.size()
        share = max(left, 0) / (options.kills - counted + 1)
        killed = trial.kill_at(trial.side.size() + 1 + int(trial.random.random() * 2 * share))
        seen, repeated = trial.check()
        print(f"{row}{repeated:>10}" if row else header, flush=True)
        counts = killed and len(seen.in_flight) >= options.in_flight_min and seen.open >= options.open_min
        counted += counts
        suspects = {place for place in seen.in_flight | seen.waiting if seen.crashes.get(place, 0) >= SUSPECT_CRASHES}
        if len(suspects & seen.in_flight) > 1:
            trial.violations.append(f"kill {tried}: several suspects at once: {sorted(suspects & seen.in_flight)[:5]}")
        figures = (seen.open, len(seen.in_flight), len(suspects), len(seen.completed))
        row = f"{tried:>5}{'yes' if counts else 'no':>9}" + "".join(f"{figure:>11}" for figure in figures)
        if not killed or trial.violations:
            break
    return counted, row


def judge(trial: Trial, counted: int, row: str, reference: Seen) -> bool:
    """After the last life: nothing lost, nothing stuck, the same outputs. Says so."""
    seen, repeated = trial.check()
    print(f"{row}{repeated:>10}")
    violations = trial.violations
    if counted < trial.options.kills:
        violations.append(f"only {counted} of {trial.options.kills} kills counted")
    if seen.open:
        violations.append(f"{seen.open} instances are still open")
    if reference.ended.keys() - seen.known:
        violations.append(f"{len(reference.ended.keys() - seen.known)} instances are lost")
    # SEMANTICS 9 explains these: a node was in flight at each of the kills that its crashes count.
    dead = sorted(id for (id, path) in seen.dead_lettered if trial.allowed[(id, path)] >= CRASHES_MAX)
    if dead:
        print(f"{len(dead)} innocent chains were dead-lettered by the crash limit: {', '.join(dead)}")
    if len(dead) > trial.options.dead_letters:
        violations.append(f"{len(dead)} chains dead-lettered, {trial.options.dead_letters} allowed")
    other = [id for id, end in seen.ended.items() if id not in dead and end != reference.ended.get(id)]
    if other:
        violations.append(f"{len(other)} outputs differ from a run without kills: {other[:5]}")
    over = [place for place, times in trial.executions.items() if times > 1 + trial.allowed[place]]
    if over:
        violations.append(f"{len(over)} nodes ran oftener than their kills explain: {over[:5]}")
    worst = Counter(seen.crashes.values())
    print(f"executions {sum(trial.executions.values())} of {len(trial.executions)} nodes; ", end="")
    print(f"nodes by crashes: {dict(sorted(worst.items()))}")
    for violation in violations:
        print(f"VIOLATION: {violation}")
    print("verdict: " + ("violated" if violations else f"kept, over {counted} kills"))
    return not violations


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chains", type=int, default=1_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--width", type=int, default=150, help="chains open at a time")
    parser.add_argument("--in-flight-min", type=int, default=20)
    parser.add_argument("--open-min", type=int, default=100)
    parser.add_argument("--patience", type=float, default=120, help="seconds in which a life must get on")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--crashes-max", type=int, default=0, help="an experiment with another bound (0: the real one)")
    parser.add_argument("--dead-letters", type=int, default=0, help="how many chains may fail by the crash limit")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mainspring-kill-") as folder:
        calm, wild = Path(folder, "calm"), Path(folder, "wild")
        calm.mkdir()
        wild.mkdir()
        reference = Trial(calm, options, Random(0))
        reference.finish()
        expected, _ = reference.check()
        if reference.violations or len(expected.ended) != options.chains:
            print(f"the run without kills is wrong: {reference.violations}")
            return 1
        trial = Trial(wild, options, Random(options.seed))
        begin = time.monotonic()
        counted, row = kill_all(trial)
        trial.finish()
        kept = judge(trial, counted, row, expected)
        print(f"{time.monotonic() - begin:.1f} s")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
