# Runs for each request with CGI variables and the body on standard input. It prints headers, an empty line, and
# the answer.
import json
import sys

data = json.loads(sys.stdin.read() or "{}")
print("Content-Type: application/json\n")
print(json.dumps({"message": f"Hello, {data.get('name', 'World')}!"}))
