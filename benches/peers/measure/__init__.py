"""The parts of benches/peers/run. Only Python's standard library.

command    options, and the order of everything
install    peers from their registries into the cache
process    programs that are timed, programs that stay, and their end
bundle     one minimal root for runc, runsc and docker
docker     a dockerd of our own
ours       a server of ours, and a client of it
rows       what is measured: one row for each of ours and of the peers
rotation   samples in turn, and their percentiles
host       what this machine is
report     the table, the JSON, the section of docs/BENCHMARKS.md
"""
