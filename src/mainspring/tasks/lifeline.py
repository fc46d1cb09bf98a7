"""A script ends with its engine, however that ends.

A script runs in a process group of its own, so that all of it can be stopped. The price: an engine that is killed outright
cannot stop anything, and the group would live on with nobody to take its output, beside the run that a restarted engine
begins. PR_SET_PDEATHSIG would reach the leader alone, on Linux alone. So the stdin that the engine gives is a pipe of which
it holds the other end, and a shell in the group waits for its end with `read`, then kills the group. The shell is started
by a grandchild that is gone at once: the script, which takes the starter's place, has no child that it does not know.
"""

from __future__ import annotations

from collections.abc import Sequence

_WATCH = '( ( read -r _ <&3; kill -s KILL -- "-$$" ) >/dev/null 2>&1 & ) 3<&0'


def guarded(command: Sequence[str], steps: Sequence[str] = ()) -> tuple[str, ...]:
    """The command as it ends with its engine. `steps` are done by the shell that then becomes the program."""
    script = " && ".join([*steps, 'exec "$@" </dev/null'])
    return ("/bin/sh", "-c", f"{_WATCH}; {script}", "sh", *command)
