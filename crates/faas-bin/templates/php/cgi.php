<?php
// Called once for each request. What it prints is the answer; what goes to error_log() is in the log.
$data = json_decode(file_get_contents('php://input'), true) ?? [];
$name = $data['name'] ?? 'World';
error_log("called by $name");

header('Content-Type: application/json');
echo json_encode(['message' => "Hello, $name!"]);
