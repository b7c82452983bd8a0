// Called once for each request. What it returns is the answer; what it prints is in the log.
// `faas invoke NAME --data '{"name": "you"}'`, then `faas logs NAME`
exports.handle = async (request) => {
  const data = request.body.length > 0 ? request.getJson() : {};
  const name = data.name ?? 'World';
  console.log('called by', name);
  return { message: `Hello, ${name}!` };
};
