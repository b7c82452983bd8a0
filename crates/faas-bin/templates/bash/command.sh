# Runs as a command for each call. The call's data is on standard input, the answer goes to standard output.
data=$(cat)
echo "Hello! You sent ${data:-nothing}"
