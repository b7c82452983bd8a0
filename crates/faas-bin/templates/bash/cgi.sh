# Runs for each request with CGI variables and the body on standard input. It prints headers, an empty line, and
# the answer.
data=$(cat)
printf 'Content-Type: text/plain\n\n'
echo "Hello! You sent ${data:-nothing} to $PATH_INFO"
