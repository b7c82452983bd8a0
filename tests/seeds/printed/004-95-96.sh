# Test GET /ping (WASM)
curl http://localhost:8080/ping
