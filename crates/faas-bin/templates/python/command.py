# Runs as a command for each call. The call's data is on standard input, the answer goes to standard output.
import json
import sys

data = json.loads(sys.stdin.read() or "{}")
print(f"Hello, {data.get('name', 'World')}!")
