<?php
// GET /api/info answers what runs here, and what was asked.

header('Content-Type: application/json');
echo json_encode([
    'runtime' => 'php',
    'version' => PHP_VERSION,
    'sapi' => PHP_SAPI,
    'method' => $_SERVER['REQUEST_METHOD'],
    'path' => $_SERVER['PATH_INFO'],
    'query' => $_GET,
    'extensions' => get_loaded_extensions(),
], JSON_PRETTY_PRINT), "\n";
