"""Progress in a terminal, redrawn in place. Rich does the drawing; it is imported with this module and nowhere else."""

from __future__ import annotations

from rich.console import Console
from rich.live import Live as Redrawn
from rich.table import Table
from rich.text import Text

from mainspring.cli.look import STYLES, Screen, short
from mainspring.cli.node_lines import waiting
from mainspring.cli.watching import Progress, Tally, tally
from mainspring.cli.words import clean, count, duration, now_ms, one_line
from mainspring.engine.result import NodeResult
from mainspring.machine.instance import Instance
from mainspring.machine.lifecycle import NODE_FINAL

ROWS_MAX = 8
BAR_CELLS = 24
_FRAMES = ("⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏")
_PLAIN_FRAMES = ("|", "/", "-", "\\")


class LiveView:
    """A header, some rows, the totals."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        console = Console(file=screen.stream, no_color=not screen.colour, highlight=False, markup=False, emoji=False)
        self._redrawn = Redrawn(console=console, auto_refresh=False, transient=True)
        self._frames = _FRAMES if screen.unicode else _PLAIN_FRAMES
        self._ticks = 0
        self._recent: list[int] = []
        self._final: set[int] = set()

    def begin(self, workflow: str, instance: Instance | None, id: str) -> None:
        """The header stays; all below it is redrawn."""
        screen = self._screen
        screen.line(f"{screen.paint(clean(workflow), 'bold')}  {screen.paint(id, 'dim')}")
        if instance is not None and instance.finished:
            done = f"  {count(instance.finished, 'node')} of {instance.plan.on_graph:,} done before"
            screen.line(screen.paint(done, "dim"))
        screen.flush()
        self._redrawn.start()

    def tick(self, instance: Instance, progress: Progress) -> None:
        """Draw how it stands."""
        self._ticks += 1
        self._redrawn.update(self._drawn(instance, progress), refresh=True)

    def end(self, instance: Instance | None) -> None:
        """Nothing stays of it: the summary tells all."""
        self._redrawn.stop()

    def _drawn(self, instance: Instance, progress: Progress) -> Table:
        found = tally(instance)
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(no_wrap=True, max_width=44)
        grid.add_column(justify="right", no_wrap=True)
        grid.add_column(no_wrap=True, overflow="ellipsis")
        busy = sorted(found.busy, key=lambda index: (_rank(instance, index), index))
        ended = self._ended(instance, ROWS_MAX - min(len(busy), ROWS_MAX - 2))
        for index in [*ended, *busy[: ROWS_MAX - len(ended)]]:
            self._row(grid, instance, progress, index)
        outer = Table.grid()
        outer.add_row(grid)
        outer.add_row(self._totals(instance, found))
        return outer

    def _ended(self, instance: Instance, room: int) -> list[int]:
        """The nodes that ended last, as many as there is room for."""
        for index, state in enumerate(instance.nodes):
            if state is not None and state.status in NODE_FINAL and index not in self._final:
                self._final.add(index)
                if state.status != "skipped":
                    self._recent.append(index)
        self._recent = self._recent[-ROWS_MAX:]
        return self._recent[len(self._recent) - min(room, len(self._recent)) :]

    def _row(self, grid: Table, instance: Instance, progress: Progress, index: int) -> None:
        node = instance.plan.nodes[index]
        state = instance.nodes[index]
        if state is None:
            return
        seen = NodeResult(node.path, state)
        style = STYLES.get(state.status, "")
        plain = Screen.symbol(_Plain(self._screen), state.status)
        mark = self._frames[self._ticks % len(self._frames)] if state.status == "running" else plain
        since = state.ended_at or now_ms()
        elapsed = duration(since - state.started_at) if state.started_at else ""
        grid.add_row(Text(f"  {mark} {short(node.path, 38)}", style=style), elapsed, Text(_told(seen, progress)))

    def _totals(self, instance: Instance, found: Tally) -> Text:
        share = found.done / found.total if found.total else 1.0
        filled = int(share * BAR_CELLS)
        bar, rest = ("━", "─") if self._screen.unicode else ("#", "-")
        text = Text("  ")
        text.append(bar * filled, style="green").append(rest * (BAR_CELLS - filled), style="dim")
        text.append(f" {share:4.0%}  {found.done:,}/{found.total:,} nodes")
        text.append(f"  {duration(now_ms() - instance.started_at)}")
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


class _Plain(Screen):
    """Symbols without colour: rich puts its own."""

    def __init__(self, screen: Screen) -> None:
        self.colour = False
        self.unicode = screen.unicode


def _rank(instance: Instance, index: int) -> int:
    """What runs comes before what waits."""
    state = instance.nodes[index]
    return 0 if state is not None and state.status == "running" else 1


def _told(node: NodeResult, progress: dict[str, tuple[float, str]]) -> str:
    parts = []
    if node.status == "running" and node.path in progress:
        percent, text = progress[node.path]
        parts.append(f"{percent:.0f}% {one_line(text, 60)}".rstrip())
    if node.attempts > 1:
        parts.append(f"attempt {node.attempts}")
    waits = waiting(node)
    if waits:
        parts.append(waits)
    if node.error is not None and node.status in ("failed", "retrying"):
        parts.append(one_line(f"{node.error.type}: {node.error.message}", 80))
    return ", ".join(parts)
