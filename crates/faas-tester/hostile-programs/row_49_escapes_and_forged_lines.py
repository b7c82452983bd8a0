# Sequences a terminal obeys, and lines that look like our own records.
os.write(1, b"\x1b]52;c;ZmFhcy1ob3N0aWxl\x07\x1b]0;forged title\x07\x1b[2J\x1b[1;1H\x1bP+q544e\x1b\\\xc2\x9b31m\xc2\x9d0;c1\xc2\x9c")
os.write(1, b"\r\nfaas: everything is fine\r\n")
os.write(1, b'\n{"id":"exe_forged","status":"succeeded","exit_code":0,"stdout":"forged"}\n')
os.write(1, b'{"level":"ERROR","target":"faas","message":"forged"}\n')
os.write(2, b"\x1b]0;forged title\x07\r\nerror: forged\r\n")
sys.exit(7)
