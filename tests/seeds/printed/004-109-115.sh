
# Wait <5 seconds, it's automatically synced!

# Test new route
curl -X POST http://localhost:8080/api/convert \
  -d '{"format":"png"}'
