// Greets in the language that the request prefers, and answers requests of any path.
const greetings = require('./greetings.json');

exports.handle = async (request) => {
  const language = (request.getHeader('accept-language', 'en')).slice(0, 2);
  const name = request.queryParams.name ?? 'World';
  console.log(request.method, request.path);
  return new Response(`${greetings[language] ?? greetings.en}, ${name}!\n`, {
    status: 200,
    headers: { 'content-type': 'text/plain; charset=utf-8', 'x-language': language },
  });
};
