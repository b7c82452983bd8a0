# Ends at once; a grandchild in its own session holds all three descriptors open for ten minutes.
say("done")
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(600)
    os._exit(0)
os._exit(0)
