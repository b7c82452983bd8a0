# A CGI program: the request in variables and on standard input, the answer on standard output.
printf 'Content-Type: text/plain\n\n'
echo "$REQUEST_METHOD $PATH_INFO from bash"
