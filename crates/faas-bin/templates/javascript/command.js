// Runs as a command for each call. The call's data is on standard input, the answer goes to standard output.
const data = JSON.parse(require('fs').readFileSync(0, 'utf8') || '{}');
console.log(`Hello, ${data.name ?? 'World'}!`);
