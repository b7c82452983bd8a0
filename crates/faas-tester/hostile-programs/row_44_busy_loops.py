# More busy loops than there are processors: in processes, because threads share a lock here.
for _ in range(int(os.environ.get("LOOPS", "63"))):
    try:
        if os.fork() == 0:
            while True:
                pass
    except OSError:
        break
while True:
    pass
