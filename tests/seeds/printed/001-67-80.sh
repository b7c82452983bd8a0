curl -X POST http://localhost:8000/functions \
  -H "Authorization: Bearer demo-key" \
  -H "Content-Type: application/json" \
  -d '{
    "name": "hello-world",
    "code": "def handle(request):\n    return {\"message\": \"Hello, World!\", \"data\": request.get_json()}",
    "config": {
      "execution_mode": "process",
      "timeout": 30,
      "memory": "128Mi"
    }
  }'
