"""What durable turns order is carried out: the effects, each by the part of the engine that can."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mainspring.engine.admission import LOCK, SUSPECTS
from mainspring.engine.live import Live
from mainspring.machine import effects as fx
from mainspring.machine import inputs
from mainspring.machine.lifecycle import INSTANCE_FINAL

if TYPE_CHECKING:
    from mainspring.engine.host import Host

logger = logging.getLogger("mainspring.engine")
told = logging.getLogger("mainspring.workflow")
"""What log nodes say."""

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

REPORTED_MAX = 1_000
"""Of so many nodes of an instance the progress is kept: a loop may have any number that report some."""


class Deeds:
    """`orders` has who carries out which effect."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.orders: dict[type[fx.Effect], Callable[[Live, fx.AnyEffect], None]] = {}

    def begin(self) -> None:
        """All parts are there: who carries out which order."""
        host = self._host
        self.orders = {
            fx.DispatchTask: self._dispatch,  # type: ignore[dict-item]
            fx.AbandonTask: host.dispatcher.abandon,  # type: ignore[dict-item]
            fx.ArmTimer: host.timers.arm,  # type: ignore[dict-item]
            fx.DisarmTimer: host.timers.disarm,  # type: ignore[dict-item]
            fx.AskAdmission: self._ask,  # type: ignore[dict-item]
            fx.ReleaseAdmission: host.limits.release,  # type: ignore[dict-item]
            fx.Migrate: self._migrate,  # type: ignore[dict-item]
            fx.Tell: self._tell,  # type: ignore[dict-item]
            fx.Send: self._sent,  # type: ignore[dict-item]
            fx.ReadBack: host.reader.ask,  # type: ignore[dict-item]
            fx.EndInstance: self._end,  # type: ignore[dict-item]
        }

    def carry_out(self, live: Live, effects: Sequence[fx.AnyEffect]) -> None:
        """What a turn ordered that is not durable yet (engine/checkpoints.py)."""
        try:
            for effect in effects:
                self.orders[type(effect)](live, effect)
        except Exception as error:
            self.not_done(live, effect, error)

    def not_done(self, live: Live, effect: fx.AnyEffect, error: Exception) -> None:
        """An order could not be carried out, for a fault of ours: its instance stops in a named state."""
        kind = type(effect).__name__
        logger.error("%s: %s could not be carried out; the instance is parked", live.id, kind, exc_info=error)
        if live.number in self._host.lives:
            reason = f"the engine failed on {kind}: {type(error).__name__}: {error}"
            self._host.recovery.reload(live, [inputs.ParkInstance(reason=reason, fault=repr(effect)[:2_000])])

    def _dispatch(self, live: Live, order: fx.DispatchTask) -> None:
        host = self._host
        if host.stopping:
            self.interrupt(live)
        elif host.loss is None:
            if host.progress and live.number in host.progress:
                host.progress[live.number].pop(order.path, None)  # what an earlier attempt came to
            host.dispatcher.dispatch(live, order)

    def interrupt(self, live: Live) -> None:
        """The engine stops in good order: what runs of the instance becomes ready again."""
        self._host.loop.post(live, inputs.Interrupt(seed=self._host.clock.seed()))

    def _ask(self, live: Live, ask: fx.AskAdmission) -> None:
        if ask.resource == SUSPECTS or ask.resource.startswith(LOCK):
            self._host.admission.ask(live, ask)
        else:
            self._host.limits.ask(live, ask)

    def let_in(self, live: Live, granted: inputs.AdmissionGranted) -> None:
        """A lock is free, or a suspect's turn has come. One with limits needs these too, and keeps its turn meanwhile."""
        try:
            scope, node = live.instance.locate(granted.path)
        except KeyError:
            return
        state = scope.nodes[node.index]
        if node.resource is None or state is None or state.status != "ready":
            self._host.loop.post(live, granted)
        else:
            self._host.limits.ask(
                live, fx.AskAdmission(granted.path, granted.run, node.resource, attempt=state.attempt + 1)
            )

    def _migrate(self, live: Live, effect: fx.Migrate) -> None:
        """It runs by another version: by its code, and by its limits."""
        program = self._host.programs.known(effect.version)
        assert program is not None, "the machine had its plan"
        live.program = program
        self._host.dispatcher.missing.pop(live.number, None)
        self._host.limits.renew(live)

    def _tell(self, live: Live, effect: fx.Tell) -> None:
        told.log(LEVELS[effect.level], "%s: %s: %s", live.id, effect.path, effect.message)

    def _sent(self, live: Live, effect: fx.Send) -> None:
        self._host.outbox.want()

    def _end(self, live: Live, effect: fx.EndInstance) -> None:
        self.end(live)

    def end(self, live: Live) -> None:
        """The instance is at its end, and that is durable: it leaves memory, as soon as nothing of it is under way."""
        host = self._host
        if live.instance.status not in INSTANCE_FINAL:
            return  # it is told again of an end that is over: it undoes by now what was left
        if live.uncommitted or live.orders:
            # Orders that came to it meanwhile: whether these had it go on, and end again, must be durable before it may be
            # claimed anew. Else it would be in memory twice, and both would take the order.
            host.ending.add(live)
            return
        host.remove(live)
        host.ended(live)

    def progressed(self, live: Live, path: str, percent: float, text: str) -> None:
        """A task says how far it is."""
        reported = self._host.progress.setdefault(live.number, {})
        reported.pop(path, None)
        reported[path] = (percent, text)
        if len(reported) > REPORTED_MAX:
            del reported[next(iter(reported))]  # whoever reported longest ago
        if self._host.on_progress is not None:
            self._host.on_progress(live, path, percent, text)

    def look_for_code(self) -> None:
        """Nodes that wait for their code go on where it has come."""
        for number, missing in tuple(self._host.dispatcher.missing.items()):
            live = self._host.lives[number]
            still = {place for place, _ in live.program.missing()}
            found = tuple(sorted(path for path in missing if _place(live, path) not in still))
            if found:
                missing.difference_update(found)
                if not missing:
                    del self._host.dispatcher.missing[number]
                self._host.loop.post(live, inputs.HandlersFound(paths=found, seed=self._host.clock.seed()))


def _place(live: Live, path: str) -> str:
    """Where the node at a path stands in the definition ("" where its scope has ended)."""
    try:
        return live.instance.locate(path)[1].place
    except KeyError:
        return ""
