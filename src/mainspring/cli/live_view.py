"""Progress in a terminal, redrawn in place. Rich does the drawing; it is imported with this module and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from rich.console import Console, Group
from rich.live import Live as Redrawn
from rich.text import Text

from mainspring.cli.body_lines import Journal
from mainspring.cli.body_words import Budget, Inner, block_words, inside, look_of
from mainspring.cli.look import STYLES, Screen, cells, pad, short
from mainspring.cli.node_lines import PATH_MAX, TIME_WIDTH, waiting
from mainspring.cli.watching import Progress, Tally, done_before, renumbered, tally
from mainspring.cli.words import clean, count, duration, now_ms, one_line
from mainspring.engine.progress import remaining_ms, share_done
from mainspring.engine.result import NodeResult
from mainspring.graph.plan import Plan
from mainspring.machine.instance import Instance
from mainspring.machine.lifecycle import NODE_FINAL

ROWS_MAX = 8
"""Rows for the nodes of the instance's own graph."""

BODY_ROWS_MAX = 10
"""Rows for nodes in bodies, of all blocks together; a block gets so many of them at most:"""

ROWS_OF_A_BLOCK_MAX = 4

BAR_CELLS = 24
_FRAMES = ("⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏")
_PLAIN_FRAMES = ("|", "/", "-", "\\")


class LiveView:
    """A header, some rows, the totals."""

    def __init__(self, screen: Screen) -> None:
        self.told: set[str] = set()  # nothing of it stays
        self._screen = screen
        console = Console(file=screen.stream, no_color=not screen.colour, highlight=False, markup=False, emoji=False)
        self._redrawn = Redrawn(console=console, auto_refresh=False, transient=True)
        self._frames = _FRAMES if screen.unicode else _PLAIN_FRAMES
        self._session = 0
        self._ticks = 0
        self._recent: list[int] = []
        self._final: set[int] = set()
        self._plan: Plan | None = None
        self._width = 0
        self._words: dict[str, str] = {}
        self._plain = Screen(screen.stream)
        self._plain.colour = False  # rich puts its own

    def begin(self, workflow: str, id: str, began: int) -> None:
        """The header stays."""
        self._session = began
        screen = self._screen
        screen.line(f"{screen.paint(clean(workflow), 'bold')}  {screen.paint(id, 'dim')}")
        screen.flush()

    def seen(self, instance: Instance, row: int) -> None:
        """What was done before is told once; all below it is redrawn."""
        before = len(done_before(instance, self._session))
        if before:
            done = f"  {count(before, 'node')} of {instance.plan.on_graph:,} done before"
            self._screen.line(self._screen.paint(done, "dim"))
            self._screen.flush()
        self._redrawn.start()

    async def read(self, journal: Journal) -> bool:
        """Nothing: only what is under way now is drawn."""
        return False

    def tick(self, instance: Instance, progress: Progress) -> None:
        """Draw how it stands."""
        self._keep_up(instance)
        self._ticks += 1
        self._redrawn.update(self._drawn(instance, progress), refresh=True)

    def end(self, instance: Instance | None) -> None:
        """Nothing stays of it: the summary tells all."""
        self._redrawn.stop()

    def _keep_up(self, instance: Instance) -> None:
        """It may have gone over to another version, where nodes have other numbers."""
        if self._plan is not None and self._plan is not instance.plan:
            to = renumbered(self._plan, instance.plan)
            self._recent = [to[index] for index in self._recent if index in to]
            self._final = {to[index] for index in self._final if index in to}
        self._plan = instance.plan

    def _drawn(self, instance: Instance, progress: Progress) -> Group:
        found = tally(instance)
        busy = sorted(found.busy, key=lambda index: (_rank(instance, index), index))
        ended = self._ended(instance, ROWS_MAX - min(len(busy), ROWS_MAX - 2))
        shown = [*ended, *busy[: ROWS_MAX - len(ended)]]
        rows = list(self._rows(instance, shown))
        # Never narrower than before: columns that jump are hard to read.
        self._width = max([self._width, *(min(cells(row.node.path) + 2 * row.depth, PATH_MAX) for row in rows)])
        return Group(*(self._row(row, progress) for row in rows), self._totals(instance, found, progress))

    def _rows(self, instance: Instance, shown: list[int]) -> Iterator[Inner]:
        """The nodes, and below each block some of what is under way in it."""
        budget, room = Budget(), BODY_ROWS_MAX
        for index in shown:
            node = NodeResult(instance, instance.plan.nodes[index])
            within = list(islice(inside(node, budget), min(ROWS_OF_A_BLOCK_MAX, room)))
            room -= len(within)
            yield Inner(0, node)
            yield from within

    def _ended(self, instance: Instance, room: int) -> list[int]:
        """The nodes that ended last, as many as there is room for."""
        for index, state in enumerate(instance.nodes):
            if state is not None and state.status in NODE_FINAL and index not in self._final:
                self._final.add(index)
                if state.status != "skipped":
                    self._recent.append(index)
        self._recent = self._recent[-ROWS_MAX:]
        return self._recent[len(self._recent) - min(room, len(self._recent)) :]

    def _row(self, row: Inner, progress: Progress) -> Text:
        node, status = row.node, look_of(row.node)
        mark = self._frames[self._ticks % len(self._frames)] if status == "running" else self._plain.symbol(status)
        elapsed = "" if node.started_at is None else duration((node.ended_at or now_ms()) - node.started_at)
        line, width = Text("  " + "  " * row.depth, no_wrap=True, overflow="ellipsis"), self._width - 2 * row.depth
        line.append(f"{mark} {pad(short(node.path, width), width)}", style=STYLES.get(status, ""))
        return line.append(f"  {elapsed:>{TIME_WIDTH}}  {self._told(row, progress)}".rstrip())

    def _told(self, row: Inner, progress: Progress) -> str:
        node = row.node
        parts = [part for part in (row.branch, self._of_block(node)) if part]
        if node.status == "running" and node.path in progress:
            percent, text = progress[node.path]
            parts.append(f"{percent:.0f}% {one_line(text, 60)}".rstrip())
        if node.attempts > 1:
            parts.append(f"attempt {node.attempts}")
        if node.error is not None and node.status in ("failed", "retrying"):
            parts.append(one_line(f"{node.error.type}: {node.error.message}", 60))
        waits = waiting(node)
        return ", ".join([*parts, waits] if waits else parts)

    def _of_block(self, node: NodeResult) -> str:
        """Of one that has ended it is worked out once: its output, however large, has to be read for that."""
        if node.status not in NODE_FINAL:
            return block_words(node)
        key = f"{node.path}#{node.runs}"
        if key not in self._words:
            self._words[key] = block_words(node)
        return self._words[key]

    def _totals(self, instance: Instance, found: Tally, progress: Progress) -> Text:
        share = share_done(instance, progress)
        filled = int(share * BAR_CELLS)
        bar, rest = ("━", "─") if self._screen.unicode else ("#", "-")
        text = Text("  ", no_wrap=True, overflow="ellipsis")
        text.append(bar * filled, style="green").append(rest * (BAR_CELLS - filled), style="dim")
        text.append(f" {share:4.0%}  {found.done:,}/{found.total:,} nodes")
        text.append(f"  {duration(now_ms() - instance.started_at)}")
        left = remaining_ms(instance, progress, now_ms())
        if left:
            text.append(f"  {duration(left)} left")
        if instance.open:
            text.append(f"  {count(len(instance.open), 'body', 'bodies')} open", style="cyan")
        for number, word, style in (
            (found.running, "running", "cyan"),
            (found.waiting, "waiting", "blue"),
            (found.failed, "failed", "red"),
        ):
            if number:
                text.append(f"  {number:,} {word}", style=style)
        if found.retries:
            text.append(f"  {count(found.retries, 'retry', 'retries')}", style="yellow")
        return text


def _rank(instance: Instance, index: int) -> int:
    """What runs comes before what waits."""
    state = instance.nodes[index]
    return 0 if state is not None and state.status == "running" else 1
