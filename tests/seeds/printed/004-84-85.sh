# Test GET /api/info (PHP)
curl http://localhost:8080/api/info
