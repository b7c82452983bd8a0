# The hypervisor and the other guests, by vsock.
for cid in [0, 1, 2, 3, 4, 5, 16, 42, 0xFFFFFFFF]:
    for port in [22, 52, 1024, 5000]:
        def connect():
            with socket.socket(40, socket.SOCK_STREAM) as client:
                client.settimeout(2)
                client.connect((cid, port))
        attempt("connect_%d_%d" % (cid, port), connect)
attempt("datagram", lambda: socket.socket(40, socket.SOCK_DGRAM).close())
attempt("seqpacket", lambda: socket.socket(40, socket.SOCK_SEQPACKET).close())
attempt("open_dev_vsock", open_for("/dev/vsock"))
say("done")
