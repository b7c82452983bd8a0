<?php
// POST /api/hello with {"name": "Alice"} answers a greeting.

$input = json_decode(file_get_contents('php://input'), true);
$name = is_array($input) && is_string($input['name'] ?? null) ? $input['name'] : 'World';

header('Content-Type: application/json');
echo json_encode(['message' => "Hello, $name!"]), "\n";
