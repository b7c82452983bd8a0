# Test POST /resize (WASM)
curl -X POST http://localhost:8080/resize \
  -H "Content-Type: application/json" \
  -d '{"image":"base64data...","width":800}'

