"""The Python end of the raw limit: frames in on a socket pair, frames out; see src/bin/limit.rs.

Usage: worker.py, with one end of the pair as standard input. The handler is that of the other rows.
"""

import pathlib
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "handlers"))

from hello import handle  # noqa: E402, found by the path above


def main():
    pair = socket.socket(fileno=0)
    received = bytearray()
    while chunk := pair.recv(65536):
        received += chunk
        answers = bytearray()
        while len(received) >= 4:
            end = 4 + int.from_bytes(received[:4], "big")
            if len(received) < end:
                break
            answer = handle(bytes(received[4:end])).encode()
            del received[:end]
            answers += len(answer).to_bytes(4, "big") + answer
        pair.sendall(answers)


main()
