"""Progress in a terminal, redrawn in place. Rich does the drawing; it is imported with this module and nowhere else."""

from __future__ import annotations

from rich.console import Console, Group
from rich.live import Live as Redrawn
from rich.text import Text

from mainspring.cli.look import STYLES, Screen, cells, pad, short
from mainspring.cli.node_lines import PATH_MAX, TIME_WIDTH, waiting
from mainspring.cli.watching import Progress, Tally, done_before, tally
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
        self.told: set[str] = set()  # nothing of it stays
        self._screen = screen
        console = Console(file=screen.stream, no_color=not screen.colour, highlight=False, markup=False, emoji=False)
        self._redrawn = Redrawn(console=console, auto_refresh=False, transient=True)
        self._frames = _FRAMES if screen.unicode else _PLAIN_FRAMES
        self._ticks = 0
        self._recent: list[int] = []
        self._final: set[int] = set()
        self._width = 0
        self._plain = Screen(screen.stream)
        self._plain.colour = False  # rich puts its own

    def begin(self, workflow: str, instance: Instance | None, id: str, began: int) -> None:
        """The header stays; all below it is redrawn."""
        screen = self._screen
        screen.line(f"{screen.paint(clean(workflow), 'bold')}  {screen.paint(id, 'dim')}")
        before = 0 if instance is None else len(done_before(instance, began))
        if instance is not None and before:
            done = f"  {count(before, 'node')} of {instance.plan.on_graph:,} done before"
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

    def _drawn(self, instance: Instance, progress: Progress) -> Group:
        found = tally(instance)
        busy = sorted(found.busy, key=lambda index: (_rank(instance, index), index))
        ended = self._ended(instance, ROWS_MAX - min(len(busy), ROWS_MAX - 2))
        shown = [*ended, *busy[: ROWS_MAX - len(ended)]]
        nodes = [(NodeResult(instance.plan.nodes[index].path, instance.nodes[index])) for index in shown]
        # Never narrower than before: columns that jump are hard to read.
        self._width = max([self._width, *(min(cells(node.path), PATH_MAX) for node in nodes)])
        return Group(*(self._row(node, progress) for node in nodes), self._totals(instance, found))

    def _ended(self, instance: Instance, room: int) -> list[int]:
        """The nodes that ended last, as many as there is room for."""
        for index, state in enumerate(instance.nodes):
            if state is not None and state.status in NODE_FINAL and index not in self._final:
                self._final.add(index)
                if state.status != "skipped":
                    self._recent.append(index)
        self._recent = self._recent[-ROWS_MAX:]
        return self._recent[len(self._recent) - min(room, len(self._recent)) :]

    def _row(self, node: NodeResult, progress: Progress) -> Text:
        running = node.status == "running"
        mark = self._frames[self._ticks % len(self._frames)] if running else self._plain.symbol(node.status)
        elapsed = "" if node.started_at is None else duration((node.ended_at or now_ms()) - node.started_at)
        row = Text("  ", no_wrap=True, overflow="ellipsis")
        row.append(f"{mark} {pad(short(node.path, self._width), self._width)}", style=STYLES.get(node.status, ""))
        return row.append(f"  {elapsed:>{TIME_WIDTH}}  {_told(node, progress)}".rstrip())

    def _totals(self, instance: Instance, found: Tally) -> Text:
        share = found.done / found.total if found.total else 1.0
        filled = int(share * BAR_CELLS)
        bar, rest = ("━", "─") if self._screen.unicode else ("#", "-")
        text = Text("  ", no_wrap=True, overflow="ellipsis")
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
    if node.error is not None and node.status in ("failed", "retrying"):
        parts.append(one_line(f"{node.error.type}: {node.error.message}", 60))
    waits = waiting(node)
    return ", ".join([*parts, waits] if waits else parts)
