// Runs from top to bottom for each call. The call's data is JSON in FAAS_INPUT.
const data = JSON.parse(process.env.FAAS_INPUT ?? '{}');
console.log(`Hello, ${data.name ?? 'World'}!`);
