// Looks at what a handler is given, and at what the host gets from it.
//
// Run with: node --test runtimes/javascript/handler.test.js

'use strict';

const assert = require('node:assert');
const { createHash } = require('node:crypto');
const { once } = require('node:events');
const { BEGIN, HEAD, ANSWER, ANSWER_END, FAILED, BUSY, REQUEST, PIECE } = require('./harness.js');
const { Conversation, call, credit, finish, frame, headOf, request, skip, start, test } = require('./harness.js');

const MUCH = 16 << 20;
const JSON_TEXT = 'application/json';
const TEXT = 'text/plain; charset=utf-8';
const BYTES = 'application/octet-stream';

function program(code, { entry = 'handle', stays = false, ...options } = {}) {
  return call(code, { args: stays ? [entry, 'stays'] : [entry], contract: 'handler', ...options });
}

/** A host that asks one thing after the other. */
class Serving extends Conversation {
  constructor(t, code, { files, then = Buffer.alloc(0), ...options } = {}) {
    super(t, Buffer.concat([program(code, options), then]), files);
    this.last = 7;
  }

  request({ granted = MUCH, ...options } = {}) {
    this.last += 1;
    const frames = [request(this.last, options)];
    if (granted > 0) frames.push(credit(this.last, granted));
    this.running.socket.write(Buffer.concat(frames));
  }

  async frame() {
    const { kind, call, sequence, body } = await this.next();
    assert.strictEqual(call, this.last);
    return [kind, sequence, body];
  }

  async head() {
    const [kind, , body] = await this.frame();
    assert.strictEqual(kind, HEAD, body.toString());
    return headOf(body);
  }

  async answer() {
    let head = {};
    const pieces = [];
    this.busy = false;
    for (;;) {
      const [kind, sequence, body] = await this.frame();
      const text = () => Buffer.concat(pieces).toString('latin1');
      if (kind === HEAD) {
        head = headOf(body);
      } else if (kind === ANSWER) {
        assert.strictEqual(sequence, pieces.length);
        assert(body.length > 0 && body.length <= PIECE);
        pieces.push(body);
      } else if (kind === BUSY) {
        assert(body.length === 0 && !this.busy);
        this.busy = true;
      } else if (kind === FAILED) {
        assert.strictEqual(body.readUInt32LE(0), body.length - 4);
        return { ...head, ...(head.status && { body: text() }), failed: body.toString('utf8', 4) };
      } else {
        assert.deepStrictEqual([kind, body.length], [ANSWER_END, 0]);
        return { ...head, body: text() };
      }
    }
  }

  ask(options) {
    this.request(options);
    return this.answer();
  }
}

const WELL = { code: 0, out: '', err: '' };
const typed = (type) => [['content-type', type]];
const latin = (text) => Buffer.from(text).toString('latin1');
const EVALUATE = 'exports.handle = async (request) => eval(`(${request.getText()})`)';

/** One request to one program that must answer and then end well. */
async function ask(t, code, { files, name, entry, ...options } = {}) {
  const serving = new Serving(t, code, { files, name, entry });
  const answer = await serving.ask(options);
  assert.deepStrictEqual(await serving.end(), WELL);
  return answer;
}

test('the request has every member, by both names', { skip }, async (t) => {
  const code = `exports.handle = (request) => [
    request.method, request.path, request.queryString, request.query_string, request.queryParams, request.query_params,
    request.headers, [...request.body], Buffer.isBuffer(request.body), request.getText(), request.get_text(),
    request.getJson(), request.get_json(), request.getHeader('X-Some'), request.get_header('x-some'),
    request.getHeader('none') === undefined, request.getHeader('none', 5)]`;
  const query = 'a=1&b=&a=%C3%A4+b%2&c&&=d';
  const headers = [['x-some', 'thing'], ['content-type', 'application/json']];
  const answer = await ask(t, code, { method: 'POST', path: '/a%2Fb/%zz', query, headers, body: '[1]' });
  const params = { a: '\u00e4 b%2', b: '', c: '', '': 'd' };
  const expected = ['POST', '/a%2Fb/%zz', query, query, params, params, Object.fromEntries(headers), [91, 49, 93], true];
  expected.push('[1]', '[1]', [1], [1], 'thing', 'thing', true, 5);
  assert.deepStrictEqual([answer.status, answer.headers], [200, typed(JSON_TEXT)]);
  assert.deepStrictEqual(JSON.parse(Buffer.from(answer.body, 'latin1')), expected);
});

test('header names have no case', { skip }, async (t) => {
  const code = `exports.handle = ({ headers }) => [headers['X-MANY'], headers.Cookie, headers.LATIN, 'X-Many' in headers,
    'other' in headers, headers.toString, headers.__proto__, Object.keys(headers), Object.hasOwn(headers, 'COOKIE')]`;
  const latin1 = Buffer.from([0xe4]);
  const headers = [['X-Many', '1'], ['x-many', '2'], ['Cookie', 'a=1'], ['cookie', 'b=2'], ['Latin', latin1]];
  headers.push(['__proto__', 'own']);
  const { body } = await ask(t, code, { headers });
  const names = ['x-many', 'cookie', 'latin', '__proto__'];
  const expected = ['1, 2', 'a=1; b=2', '\u00e4', true, false, null, 'own', names, true];
  assert.deepStrictEqual(JSON.parse(Buffer.from(body, 'latin1')), expected);
});

test('a body that is not what was asked for says so', { skip }, async (t) => {
  const serving = new Serving(t, 'exports.handle = (request) => request[request.getHeader("get")]()');
  const failed = async (body, get) => (await serving.ask({ body, headers: [['get', get]] })).failed;
  assert.match(await failed('[1,\n  2', 'getJson'), /^SyntaxError: the request's body is not JSON: .+/);
  assert.match(await failed('', 'get_json'), /is not JSON: Unexpected end of JSON input/);
  assert.match(await failed(Buffer.from([0x31, 0xff]), 'getJson'), /is not JSON: .*not valid for encoding utf-8/);
  assert.match(await failed(Buffer.from([0xff]), 'getText'), /^TypeError.*not valid for encoding utf-8/);
  const { code, err } = await serving.end();
  assert.strictEqual(code, 0);
  assert.doesNotMatch(err, /opt\/faas/);
});

test('the body comes in pieces', { skip }, async (t) => {
  const code = `const { createHash } = require('crypto');
    exports.handle = ({ body }) => createHash('sha256').update(body).digest('hex');`;
  const hash = (body) => createHash('sha256').update(body).digest('hex');
  const body = Buffer.alloc(500_000, 'abcdefg');
  const serving = new Serving(t, code);
  for (const piece of [PIECE, 1000]) assert.strictEqual((await serving.ask({ body, piece })).body, hash(body));
  assert.strictEqual((await serving.ask()).body, hash(''));
});

test('results become bodies', { skip }, async (t) => {
  const serving = new Serving(t, EVALUATE);
  for (const [expression, kind, body] of [
    ["{ a: '\u00e4', b: [1, 2.5, null, true] }", JSON_TEXT, latin('{"a":"\u00e4","b":[1,2.5,null,true]}')],
    ['[]', JSON_TEXT, '[]'],
    ['undefined', JSON_TEXT, 'null'],
    ['null', JSON_TEXT, 'null'],
    ['false', JSON_TEXT, 'false'],
    ['7', JSON_TEXT, '7'],
    ['new Date(0)', JSON_TEXT, '"1970-01-01T00:00:00.000Z"'],
    ["'\u00e4'", TEXT, latin('\u00e4')],
    ["''", TEXT, ''],
    ['Buffer.from([255])', BYTES, '\xff'],
    ['new Uint8Array([65, 66, 67]).subarray(1)', BYTES, 'BC'],
    ['new Uint8Array([65]).buffer', BYTES, 'A'],
    ["(function* () { yield 'a'; yield Buffer.from('b'); yield { c: 1 }; yield [2]; yield ''; })()", TEXT, 'ab{"c":1}\n[2]\n'],
    ["(async function* () { yield 'a'; await null; yield 'b'; })()", TEXT, 'ab'],
    ['[][Symbol.iterator]()', TEXT, ''],
    ["require('stream').Readable.from(['a', 'b'])", TEXT, 'ab'],
    ["new ReadableStream({ start(c) { c.enqueue('a'); c.enqueue(new Uint8Array([66])); c.close(); } })", TEXT, 'aB'],
  ]) {
    const expected = { status: 200, headers: typed(kind), body };
    assert.deepStrictEqual(await serving.ask({ body: expression }), expected, expression);
  }
  assert.deepStrictEqual(await serving.end(), WELL);
});

test('a Response brings its status, headers and stream', { skip }, async (t) => {
  const serving = new Serving(t, EVALUATE);
  for (const [expression, status, headers, body] of [
    ["new Response('\u00e4', { status: 201 })", 201, [['content-type', 'text/plain;charset=UTF-8']], latin('\u00e4')],
    ["Response.json({ a: 1 }, { headers: { 'x-a': 'b' } })", 200, [['content-type', JSON_TEXT], ['x-a', 'b']], '{"a":1}'],
    ['new Response(null, { status: 204 })', 204, [], ''],
    ["Response.redirect('http://a/', 302)", 302, [['location', 'http://a/']], ''],
    ["new Response(new Uint8Array([1, 255]), { headers: { 'x-a': '\xff' } })", 200, [['x-a', '\xff']], '\x01\xff'],
    [
      "new Response(require('stream').Readable.toWeb(require('stream').Readable.from([Buffer.from('ab')])), { status: 599 })",
      599,
      [],
      'ab',
    ],
    [
      "((r) => (r.headers.append('set-cookie', 'a=1'), r.headers.append('set-cookie', 'b=2'), r))(new Response())",
      200,
      [['set-cookie', 'a=1'], ['set-cookie', 'b=2']],
      '',
    ],
  ]) {
    assert.deepStrictEqual(await serving.ask({ body: expression }), { status, headers, body }, expression);
  }
  const { code } = await serving.end();
  assert.strictEqual(code, 0);
});

test('what is no answer fails and says what is', { skip }, async (t) => {
  const serving = new Serving(t, EVALUATE);
  const like = (fields) => `({ [Symbol.toStringTag]: 'Response', status: 200, headers: [], body: null, ...${fields} })`;
  const cases = [
    ['10n', /^TypeError: handle returned bigint that is not JSON \(Do not know how .*\); accepted: undefined, null, boo/],
    ['((a) => (a.push(a), a))([])', /^TypeError: handle returned Array that is not JSON \(Converting circular structure/],
    ['Symbol.iterator', /^TypeError: handle returned symbol; accepted: /],
    ['() => 1', /^TypeError: handle returned function; accepted: /],
    ['new Map([[1, 2]])', /^TypeError: handle returned Map; accepted: /],
    ['new Set([1])', /^TypeError: handle returned Set; accepted: /],
    ['[5][Symbol.iterator]()', /^TypeError: handle yielded number; accepted: string, Buffer/],
    ['[null][Symbol.iterator]()', /^TypeError: handle yielded object; accepted: string/],
    ['[[1n]][Symbol.iterator]()', /^TypeError: handle yielded Array that is not JSON/],
    ['Response.error()', /^RangeError: handle returned status 0; accepted: an integer from 200 to 599$/],
    [like("{ status: '200' }"), /^RangeError: handle returned status 200; accepted/],
    [like('{ status: 600 }'), /^RangeError: handle returned status 600; accepted/],
    [like('{ bodyUsed: true }'), /^TypeError: handle returned a Response whose body has been read$/],
    [like("{ headers: [['a b', 'x']] }"), /^TypeError: the header name 'a b' is not accepted: letters/],
    [like("{ headers: [['a\\r\\nb', 'x']] }"), /^TypeError: the header name 'a\\r\\nb' is not accepted/],
    [like("{ headers: [['', 'x']] }"), /^TypeError: the header name '' is not accepted/],
    [like("{ headers: [['a', 'x\\r\\nb: c']] }"), /^TypeError: the header a is 'x\\r\\nb: c'; accepted: bytes without CR/],
    [like("{ headers: [['a', 'x\\n']] }"), /^TypeError: the header a is 'x\\n'; accepted/],
    [like("{ headers: [['a', 'x\\0']] }"), /^TypeError: the header a is 'x\\x00'; accepted/],
    [like("{ headers: [['a', '\\u0100']] }"), /^TypeError: the header a is '\u0100'; accepted/],
    [like("{ headers: Array(5000).fill(['a', 'b']) }"), /^RangeError: 5000 headers make a head of/],
    [like("{ headers: [['a', 'b'.repeat(200000)]] }"), /^RangeError: 1 headers make a head of 20\d+ bytes; at most 4096 and/],
  ];
  for (const [expression, message] of cases) {
    const answer = await serving.ask({ body: expression });
    assert.deepStrictEqual(Object.keys(answer), ['failed'], expression);
    assert.match(answer.failed, message, expression);
  }
  const { code, out, err } = await serving.end();
  assert.deepStrictEqual([code, out], [0, '']);
  assert.doesNotMatch(err, /^ +at /m);
});

test('functions of either module system, by any name', { skip }, async (t) => {
  const answer = async (code, options) => (await ask(t, code, options)).body;
  assert.strictEqual(await answer("exports.handle = function () { return 'a' }"), 'a');
  assert.strictEqual(await answer("module.exports = { go: () => 'a' }", { entry: 'go' }), 'a');
  assert.strictEqual(await answer("export function handle() { return 'a' }"), 'a');
  assert.strictEqual(await answer("export async function handle() { return 'a' }", { name: 'api.mjs' }), 'a');
  assert.strictEqual(await answer("export default () => 'a'", { entry: 'default' }), 'a');
  assert.strictEqual(await answer("const x = await 'a'; export const handle = () => x"), 'a');
  const files = { 'helper.js': 'exports.x = 5', 'esm.mjs': 'export const x = 6' };
  const both = "const { x } = require('./helper'); exports.handle = async () => [x, (await import('./esm.mjs')).x]";
  assert.strictEqual(await answer(both, { files }), '[5,6]');
});

test('the program is not the main module', { skip }, async (t) => {
  const code = `exports.handle = () => [require.main === undefined, process.mainModule === undefined, module.id, __filename,
    __dirname, process.argv, module.children.length, Object.keys(require.cache), typeof Host, typeof net]`;
  const { body } = await ask(t, code, { name: 'api.js' });
  const argv = ['/usr/bin/node', '/code/api.js'];
  const expected = [true, true, '/code/api.js', '/code/api.js', '/workspace', argv, 0, [], 'undefined', 'undefined'];
  assert.deepStrictEqual(JSON.parse(body), expected);
});

test('a generator is sent as it is produced', { skip }, async (t) => {
  const code = `const { once } = require('events');
    exports.handle = async function* () {
      for (const piece of ['', 'first', 'second']) {
        yield piece;
        console.log('after', piece);
        await once(process.stdin, 'data');
      }
      process.stdin.destroy();
    }`;
  const serving = new Serving(t, code);
  const { stdin } = serving.running.child;
  serving.request();
  assert.deepStrictEqual(await serving.head(), { status: 200, headers: typed(TEXT) });
  for (const [at, piece] of ['first', 'second'].entries()) {
    stdin.write('\n');
    assert.deepStrictEqual(await serving.frame(), [ANSWER, at, Buffer.from(piece)]);
  }
  stdin.write('\n');
  assert.deepStrictEqual((await serving.frame())[0], ANSWER_END);
  assert.deepStrictEqual(await serving.end(), { ...WELL, out: 'after \nafter first\nafter second\n' });
});

test('what a call leaves in the loop is said, and what it ended is not', { skip }, async (t) => {
  const code = `const timers = require('timers/promises');
    const { Worker } = require('worker_threads');
    const fs = require('fs');
    const left = [];
    setInterval(() => {}, 1e6);
    setInterval(() => {}, 1e6).unref();
    const ways = {
      '/nothing': async () => { await timers.setTimeout(1); await fs.promises.readFile('/proc/version'); },
      '/timer': () => void left.push(setTimeout(() => {}, 1e6)),
      '/end': () => clearTimeout(left.pop()),
      '/unheld': () => void left.push(setInterval(() => {}, 1e6).unref()),
      '/immediate': () => { const again = () => setImmediate(again).unref(); again(); },
      '/signal': () => void left.push(AbortSignal.timeout(1e6)),
      '/raise': () => { left.push(setInterval(() => {}, 1e6)); throw new Error('mine'); },
      '/server': () => void require('net').createServer().listen(0, '127.0.0.1'),
      '/body': () => new Response(new Blob(['x'.repeat(1e5)]).stream()),
      '/work': () => new Promise((done) => new Worker('', { eval: true }).on('exit', () => done())),
    };
    exports.handle = ({ path }) => ways[path]();`;
  const serving = new Serving(t, code, { stays: true });
  const said = [];
  const paths = ['/nothing', '/timer', '/end', '/raise', '/end', '/unheld', '/end', '/nothing', '/body', '/work'];
  for (const path of [...paths, '/signal', '/server', '/immediate']) {
    await serving.ask({ path });
    if (serving.busy) said.push(path);
  }
  assert.deepStrictEqual(said, ['/timer', '/raise', '/unheld', '/signal', '/server', '/immediate']);
});

test('a program that is to stay has its threads when it is loaded', { skip }, async (t) => {
  const code = `const fs = require('fs');
    const threads = () => String(fs.readdirSync('/proc/self/task').length);
    exports.handle = async ({ path }) => {
      if (path === '/work') await fs.promises.readFile('/proc/version');
      return threads();
    }`;
  for (const stays of [true, false]) {
    const serving = new Serving(t, code, { stays });
    const before = (await serving.ask()).body;
    const after = (await serving.ask({ path: '/work' })).body;
    assert.strictEqual(before === after, stays, `${before} threads, then ${after}`);
    assert.deepStrictEqual(await serving.end(), WELL);
  }
});

test('the second call finds what the first one did', { skip }, async (t) => {
  const code = `let calls = 0;
    const recurse = () => recurse() + 1;
    exports.handle = ({ path }) => {
      calls += 1;
      if (path === '/recurse') return recurse();
      if (path === '/nan') return { value: NaN };
      if (path === '/patch') JSON.stringify = null;
      if (path === '/exit') process.exit(3);
      return path === '/json' ? { calls } : String(calls);
    }`;
  const serving = new Serving(t, code);
  const ask = async (path) => {
    const answer = await serving.ask({ path });
    return answer.failed ?? answer.body;
  };
  assert.match(await ask('/recurse'), /^RangeError: Maximum call stack/);
  assert.strictEqual(await ask('/'), '2');
  assert.strictEqual(await ask('/nan'), '{"value":null}');
  assert.strictEqual(await ask('/patch'), '4');
  assert.match(await ask('/json'), /^TypeError: /);
  assert.strictEqual(await ask('/'), '6');
  serving.request({ path: '/exit' });
  assert.strictEqual((await finish(serving.running)).code, 3);
});

test('a stream that breaks off has no end', { skip }, async (t) => {
  const code = `
    const kinds = {
      *plain() { try { yield 'one'; throw new RangeError('midway') } finally { console.log('closed') } },
      async *asynchronous() { try { yield 'one'; yield 5 } finally { await null; console.log('closed') } },
      *early() { throw new Error('early') },
      readable() {
        const { Readable } = require('stream');
        return new Readable({ read() { this.destroy(new Error('destroyed')) } });
      },
    };
    exports.handle = ({ path }) => kinds[path]()`;
  const serving = new Serving(t, code);
  const begun = { status: 200, headers: typed(TEXT), body: 'one' };
  assert.deepStrictEqual(await serving.ask({ path: 'plain' }), { ...begun, failed: 'RangeError: midway' });
  const yielded = 'TypeError: handle yielded number; accepted: string, Buffer, Uint8Array, ArrayBuffer, object or array';
  assert.deepStrictEqual(await serving.ask({ path: 'asynchronous' }), { ...begun, failed: yielded });
  assert.deepStrictEqual(await serving.ask({ path: 'early' }), { failed: 'Error: early' });
  assert.deepStrictEqual(await serving.ask({ path: 'readable' }), { failed: 'Error: destroyed' });
  const { code: exit, out, err } = await serving.end();
  assert.deepStrictEqual([exit, out], [0, 'closed\nclosed\n']);
  assert.doesNotMatch(err, /opt\/faas/);
  assert.match(err, /^RangeError: midway\n +at .*plain \(\/code\/main\.js:3:/);
});

test('a long answer waits for credit, and the loop goes on', { skip }, async (t) => {
  const total = 5_000_000;
  const whole = `'x'.repeat(${total})`;
  const streamed = "(function* () { for (let i = 0; i < 72; i += 1) yield Buffer.alloc(70000, 'x') })()";
  for (const [expression, length] of [[whole, total], [streamed, 72 * 70_000]]) {
    const code = `let ticks = 0;
      exports.handle = ({ path }) => path === '/ticks' ? ticks : (setImmediate(() => ticks += 1), ${expression})`;
    const serving = new Serving(t, code);
    serving.request({ granted: 0 });
    assert.strictEqual((await serving.head()).status, 200);
    let received = 0;
    let granted = 0;
    for (;;) {
      if (received === granted) {
        const grant = [1, 60_000, 300_000][received % 3];
        granted += grant;
        serving.running.socket.write(credit(serving.last, grant));
      }
      const [kind, , body] = await serving.frame();
      if (kind === ANSWER_END) break;
      received += body.length;
      assert(received <= granted, `${received} came, ${granted} were granted`);
    }
    assert.strictEqual(received, length);
    serving.running.socket.write(credit(serving.last, 5)); // on its way when the answer ended
    assert.strictEqual((await serving.ask({ path: '/ticks' })).body, '1');
    assert.deepStrictEqual(await serving.end(), WELL);
  }
});

test('credit of another call is none', { skip }, async (t) => {
  const serving = new Serving(t, "exports.handle = () => 'ab'");
  serving.request({ granted: 0 });
  assert.strictEqual((await serving.head()).status, 200);
  const { last, running } = serving;
  running.socket.write(Buffer.concat([credit(last - 1, 100), credit(last + 1, 100), credit(last, 1)]));
  assert.deepStrictEqual(await serving.frame(), [ANSWER, 0, Buffer.from('a')]);
  running.socket.write(credit(last, 1));
  assert.deepStrictEqual(await serving.frame(), [ANSWER, 1, Buffer.from('b')]);
  assert.deepStrictEqual((await serving.frame())[0], ANSWER_END);
  assert.deepStrictEqual(await serving.end(), WELL);
});

test('what is thrown fails the call and not the program', { skip }, async (t) => {
  const code = `let count = 0;
    const deeper = () => deeper() + 1;
    const inner = async ({ getJson }) => { await null; throw new TypeError('a\\n b ' + 'm'.repeat(2000)) };
    exports.handle = async (request) => {
      count += 1;
      switch (request.path) {
        case '/throw': throw new RangeError('mine');
        case '/recurse': return deeper();
        case '/odd': throw { get message() { throw 1 } };
        case '/text': throw 'text';
        case '/nothing': throw undefined;
        case '/proxy': throw new Proxy({}, { getPrototypeOf() { throw 1 } });
        case '/inner': return inner(request);
      }
      return count;
    }`;
  const serving = new Serving(t, code);
  const failed = async (path) => (await serving.ask({ path })).failed;
  assert.strictEqual(await failed('/throw'), 'RangeError: mine');
  assert.strictEqual((await serving.ask()).body, '2');
  assert.strictEqual(await failed('/recurse'), 'RangeError: Maximum call stack size exceeded');
  assert.match(await failed('/odd'), /^Error: threw /);
  assert.strictEqual(await failed('/text'), "Error: threw 'text'");
  assert.strictEqual(await failed('/nothing'), 'Error: threw undefined');
  assert.strictEqual(await failed('/proxy'), 'Error: threw what cannot be shown');
  const long = await failed('/inner');
  assert.deepStrictEqual([long.slice(0, 18), long.length], ['TypeError: a b mmm', 1000]);
  assert.strictEqual((await serving.ask()).body, '9');
  const { code: exit, out, err } = await serving.end();
  assert.deepStrictEqual([exit, out], [0, '']);
  assert.match(err, /^RangeError: mine\n +at .*\/code\/main\.js:7:/);
  assert.doesNotMatch(err, /opt\/faas/);
});

test('a stack of the program has nothing of the runner', { skip }, async (t) => {
  const code = "exports.handle = () => new Error().stack.split('\\n').filter((l) => !/node:internal/.test(l)).length";
  assert.strictEqual((await ask(t, code)).body, '2');
});

test('what was printed comes before the end of the answer', { skip }, async (t) => {
  const code = `exports.handle = ({ path }) => {
    process.stdout.write('o'.repeat(30000));
    process.stderr.write('e');
    if (path === '/throw') throw new Error('x');
  }`;
  const serving = new Serving(t, code);
  // What is still in the process when its answer has come is lost with it.
  await serving.ask();
  await serving.ask({ path: '/throw' });
  serving.running.child.kill('SIGKILL');
  const { out, err } = await finish(serving.running);
  assert.strictEqual(out.length, 60_000);
  assert.match(err, /^eeError: x\n/);
});

test('the end of the stream is the end of the program', { skip }, async (t) => {
  const code = `process.on('exit', (code) => console.log('exit', code));
    exports.handle = () => { setImmediate(() => setImmediate(() => console.log('left over'))) }`;
  const serving = new Serving(t, code);
  assert.strictEqual((await serving.ask()).body, 'null');
  assert.deepStrictEqual(await serving.end(), { ...WELL, out: 'left over\nexit 0\n' });
  assert.deepStrictEqual(await new Serving(t, 'exports.handle = () => 1').end(), WELL);
});

test('the stream is closed while the program goes on', { skip }, async (t) => {
  // Each line releases one wait: of the call where there is one, then of what is left over.
  const code = `const { once } = require('events');
    exports.handle = async ({ path }) => {
      if (path === '/wait') await once(process.stdin, 'data');
      once(process.stdin, 'data').then(() => process.stdin.destroy());
      return path;
    }`;
  for (const path of ['/wait', '/']) {
    const serving = new Serving(t, code);
    const { child, socket } = serving.running;
    const closed = once(socket, 'end');
    serving.request({ path });
    if (path === '/wait') {
      socket.end();
      child.stdin.write('\n');
    }
    assert.strictEqual((await serving.answer()).body, path);
    socket.end();
    await closed;
    assert.deepStrictEqual(await finish(serving.running, '\n'), WELL);
  }
});

test("exit codes and what nobody caught are Node's", { skip }, async (t) => {
  const outcome = async (code) => {
    const result = await finish(start(t, Buffer.concat([program(code), request(8), credit(8, 9)])));
    assert.doesNotMatch(result.err, /opt\/faas/);
    return result;
  };
  assert.deepStrictEqual(await outcome('process.exit(3)'), { ...WELL, code: 3 });
  assert.deepStrictEqual(await outcome('exports.handle = () => process.exit(4)'), { ...WELL, code: 4 });
  const late = "exports.handle = async function* () { yield 'a'; process.exit(5) }";
  assert.deepStrictEqual(await outcome(late), { ...WELL, code: 5 });
  const killed = "exports.handle = () => process.kill(process.pid, 'SIGKILL')";
  assert.strictEqual((await outcome(killed)).code, 'SIGKILL');
  for (const [code, reason] of [
    ['exports.handle = () => new Promise(() => { setImmediate(() => { throw new Error("late") }) })', /Error: late/],
    ['exports.handle = () => new Promise(() => { Promise.reject(new Error("lost")) })', /Error: lost/],
    ['let let = 1', /SyntaxError: let is disallowed/],
    ['exports.handle = 1; throw new Error("load")', /^\/code\/main\.js:1\n[^]*Error: load/],
    ['export const a = 1; throw new Error("load")', /Error: load/],
    ["require('nowhere')", /Cannot find module 'nowhere'/],
    ['exports.other = 1', /^\/code\/main\.js exports no function 'handle'; export it, or give/],
    ['exports.handle = 1', /^\/code\/main\.js exports no function 'handle'/],
    ['module.exports = null', /^\/code\/main\.js exports no function 'handle'/],
    ['export default 1', /^\/code\/main\.js exports no function 'handle'/],
  ]) {
    const { code: exit, out, err } = await outcome(code);
    assert.deepStrictEqual([exit, out], [1, ''], code);
    assert.match(err, reason);
  }
});

test('children have no socket', { skip }, async (t) => {
  const code = `exports.handle = () => require('child_process').spawnSync('/bin/sh', ['-c', 'test -e /proc/self/fd/3']).status`;
  assert.strictEqual((await ask(t, code)).body, '1');
});

test('a request may come with the program', { skip }, async (t) => {
  const then = Buffer.concat([request(8, { path: '/now' }), credit(8, 100)]);
  const serving = new Serving(t, 'exports.handle = ({ path }) => path', { then });
  serving.last = 8;
  assert.strictEqual((await serving.answer()).body, '/now');
  assert.strictEqual((await serving.ask({ path: '/then' })).body, '/then');
  assert.deepStrictEqual(await serving.end(), WELL);
});

test('a host that breaks the protocol ends it', { skip }, async (t) => {
  const begin = program("exports.handle = () => 'x'");
  const whole = request(8, { body: 'abc' });
  const open = whole.subarray(0, -16);
  for (const [frames, reason] of [
    [[frame(BEGIN)], /frame of type 0x30 where a request is due/],
    [[open, frame(REQUEST)], /frame of type 0x34 inside a request/],
    [[request(8, { body: 'abc', announced: 4 })], /a body of 3 bytes came, 4 were announced/],
    [[whole, request(9)], /frame of type 0x34 inside an answer/],
    [[Buffer.alloc(16, 0xff)], /longer than allowed/],
    [[whole.subarray(0, 20)], /the host closed the call socket/],
    [[open], /the host closed the call socket/],
    [[whole], /the host closed the call socket/],
  ]) {
    const running = start(t, Buffer.concat([begin, ...frames]));
    running.socket.end();
    const { code, out, err } = await finish(running);
    assert.deepStrictEqual([code, out], [1, '']);
    assert.match(err, /^runner: .*\n$/);
    assert.match(err, reason);
  }
});

test('a host that goes away ends it', { skip }, async (t) => {
  const serving = new Serving(t, "exports.handle = function* () { for (;;) yield Buffer.alloc(100000, 'x') }");
  serving.request({ granted: 2 ** 30 });
  await serving.head();
  serving.running.socket.destroy();
  const { code, out, err } = await finish(serving.running);
  assert.deepStrictEqual([code, out], [1, '']);
  assert.match(err, /^runner: the host closed the call socket/);
});
