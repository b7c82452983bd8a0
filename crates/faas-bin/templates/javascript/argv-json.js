// Runs for each call with its data as JSON in the first argument. The last JSON document that it prints is the
// answer; one with "error" in it says that the call failed.
const data = JSON.parse(process.argv[2]);
console.log(JSON.stringify({ message: `Hello, ${data.name ?? 'World'}!` }));
