// The handler of our JavaScript rows.
exports.handle = () => "hello";
