// The same for functions-framework, whose handlers answer like Express.
exports.handle = (request, response) => response.send("hello");
