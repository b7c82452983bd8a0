print("taking memory until there is none", flush=True)
blocks = []
while True:
    blocks.append(bytearray(8 * 1024 * 1024))
