// Runs for each request with CGI variables and the body on standard input. It prints headers, an empty line, and
// the answer.
const data = JSON.parse(require('fs').readFileSync(0, 'utf8') || '{}');
console.log('Content-Type: application/json\n');
console.log(JSON.stringify({ message: `Hello, ${data.name ?? 'World'}!` }));
