"""The process that was started: hands over what it was given, passes on the signals that it gets, ends as the other does.

`python -I -S client.py SOCKET ARGUMENT...`; it imports next to nothing, which is what makes it quick. Were it killed, the
server would kill the one that it stands for.
"""

import _socket
import os
import signal
import sys

PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1)


def main() -> None:
    server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    server.connect(sys.argv[1])
    arguments = sys.argv[2:]
    given = [os.getcwdb(), b"%d" % len(arguments), *map(os.fsencode, arguments)]
    given += [key + b"=" + value for key, value in os.environb.items()]
    told = b"\0".join(given)
    streams = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
    server.sendmsg([len(told).to_bytes(8, "big")], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
    for number in PASSED_ON:
        signal.signal(number, lambda number, _frame: server.send(bytes([number])))
    while told:
        told = told[server.send(told) :]
    said = server.recv(16)
    if not said:
        sys.exit("the server of warm processes has ended")
    code = int(said)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
        os.kill(os.getpid(), -code)
    os._exit(code)


main()
