# Frames written to every descriptor beyond the three, in the hope that one is the control channel.
frames = [struct.pack("<I", 0xFFFFFFFF) + b"\xff" * 60, struct.pack("<IBBHIQ", 16, 1, 0, 0, 1, 0) + b"{}", b'{"error":null}\n' * 4, b"\0" * 4096]
for number in range(3, 1024):
    attempt("write_fd_%d" % number, lambda: [os.write(number, frame) for frame in frames])
    attempt("send_fd_%d" % number, lambda: socket.socket(fileno=number))
say("done")
