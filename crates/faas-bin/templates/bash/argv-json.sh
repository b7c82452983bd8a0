# Runs for each call with its data as JSON in the first argument. The last JSON document that it prints is the
# answer; one with "error" in it says that the call failed.
printf '{"message": "Hello!", "you_sent": %s}\n' "$1"
