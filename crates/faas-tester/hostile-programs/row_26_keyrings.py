# Keyrings are not in any namespace a sandbox has by itself.
raw("add_key", 248, b"user", b"faas-hostile", b"payload", 7, 0xFFFFFFFD)
raw("add_key_keyring", 248, b"keyring", b"faas-hostile", 0, 0, 0xFFFFFFFC)
raw("request_key", 249, b"user", b"faas-hostile", b"callout", 0)
for operation in [0, 1, 2, 5, 6, 11, 14, 15, 18, 21, 23, 29, 31]:
    raw("keyctl_%d" % operation, 250, operation, 0xFFFFFFFD, 0, 0, 0)
say("done")
