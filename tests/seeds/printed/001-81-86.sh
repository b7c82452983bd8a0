curl -X POST http://localhost:8000/invoke/hello-world \
  -H "Authorization: Bearer demo-key" \
  -H "Content-Type: application/json" \
  -d '{"name": "AITest", "test": true}'
