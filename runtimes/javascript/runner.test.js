// Looks at what the code of a script sees.
//
// Run with: node --test runtimes/javascript/runner.test.js

'use strict';

const assert = require('node:assert');
const { once } = require('node:events');
const { END, HELLO, call, finish, frame, skip, start, test } = require('./harness.js');

async function run(t, code, { files, stdin, ...options } = {}) {
  const result = await finish(start(t, call(code, options), files), stdin);
  assert.doesNotMatch(result.err, /runner/);
  return result;
}

async function check(t, code, expected, options) {
  assert.deepStrictEqual(await run(t, code, options), { code: 0, out: expected, err: '' });
}

test('says hello and runs as the main module', { skip }, async (t) => {
  const code = `
    console.log(JSON.stringify([process.argv, __filename, __dirname, process.cwd(), process.env]));
    console.log(require.main === module, this === module.exports, exports === this, process.mainModule === module);
    console.log(Object.keys(require.cache), typeof fs, typeof SOCKET, module.parent, module.children);`;
  const running = start(t, call(code, { args: ['a', '\u00e4 b', ''] }));
  const argv = '["/usr/bin/node","/code/main.js","a","\u00e4 b",""]';
  const expected = `[${argv},"/code/main.js","/workspace","/workspace",{}]\ntrue true true true\n`;
  const { code: exit, out, err } = await finish(running);
  assert.deepStrictEqual([exit, err], [0, '']);
  assert.strictEqual(out, `${expected}[] undefined undefined null []\n`);
  assert.strictEqual(running.said.toString('hex'), HELLO);
});

test('variables of the call are in the environment and given to children', { skip }, async (t) => {
  const env = [['A', 'b'], ['EMPTY', ''], ['WITH', 'a=b\nc'], ['\u00e4', '\u00f6'], ['__proto__', 'x']];
  const code = `
    const listed = require('child_process').execFileSync('/usr/bin/env', ['-0']).toString();
    console.log(JSON.stringify([Object.entries(process.env), listed.split('\\0').slice(0, -1)]));`;
  const expected = JSON.stringify([env, env.map((pair) => pair.join('='))]);
  await check(t, code, `${expected}\n`, { env });
});

test('argv-json is the first argument', { skip }, async (t) => {
  const code = 'console.log(JSON.parse(process.argv[2]).n + 1)';
  await check(t, code, '42\n', { args: ['{"n": 41}'], contract: 'argv-json' });
});

test('user code has no descriptor of the host', { skip }, async (t) => {
  const code = `
    const fs = require('fs');
    const open = fs.readdirSync('/proc/self/fd').filter((fd) => fd > 2);
    const links = open.map((fd) => { try { return fs.readlinkSync('/proc/self/fd/' + fd); } catch { return 'gone'; } });
    console.log(links.filter((link) => !/^(anon_inode:|pipe:|gone$|[/]dev[/]null$)/.test(link)));`;
  await check(t, code, '[]\n');
});

test('stdin, a first line for the kernel, strict mode and a byte order mark', { skip }, async (t) => {
  const read = "console.log(require('fs').readFileSync(0, 'utf8').toUpperCase())";
  await check(t, read, '\u00c4\u00d6\n', { stdin: '\u00e4\u00f6' });
  const strict = "#!/usr/bin/env node\n'use strict'; console.log(function () { return this }())";
  await check(t, strict, 'undefined\n');
  await check(t, '\ufeffconsole.log(1)', '1\n');
  await check(t, '', '');
});

test('each line appears at once', { skip }, async (t) => {
  const running = start(t, call("console.log('first'); process.stdin.on('data', () => process.exit())"));
  await once(running.child.stdout, 'data');
  assert.strictEqual(running.out, 'first\n');
  assert.strictEqual((await finish(running, '\n')).code, 0);
});

test('files of the workspace can be required and imported', { skip }, async (t) => {
  const files = {
    'helper.js': 'exports.value = 5;',
    'data.json': '{"n": 6}',
    'esm.mjs': "export { default as value } from './deep/inner.mjs';",
    'deep/inner.mjs': 'export default 7;',
    'node_modules/installed/index.js': 'module.exports = 8;',
  };
  const common = "console.log(require('./helper').value, require('./data.json').n, require('installed'));";
  await check(t, common, '5 6 8\n', { files });
  const dynamic = "import('./esm.mjs').then((esm) => import('installed').then((m) => console.log(esm.value, m.default)))";
  await check(t, dynamic, '7 8\n', { files });
  const esm = "import { value } from './esm.mjs'; import installed from 'installed'; console.log(value, installed)";
  await check(t, esm, '7 8\n', { files });
});

test('code that is only valid in a module is one', { skip }, async (t) => {
  await check(t, "import { EOL } from 'node:os'; console.log(JSON.stringify(EOL), typeof require)", '"\\n" undefined\n');
  await check(t, 'const x = await Promise.resolve(3); console.log(x)', '3\n');
  await check(t, 'for await (const x of [1, 2]) console.log(x)', '1\n2\n');
  await check(t, 'export const x = 1; console.log(process.argv.slice(1))', "[ '/code/main.mjs', 'a' ]\n", { args: ['a'] });
  await check(t, 'console.log(import.meta.url)', 'file:///code/main.mjs\n');
  await check(t, 'console.log(typeof module, this)', 'undefined undefined\n', { name: 'main.mjs' });
  const failed = await run(t, "import 'node:os';\nfunction f() { throw new Error('no') }\nf()");
  assert.strictEqual(failed.code, 1);
  assert.match(failed.err, /^file:\/\/\/code\/main\.mjs:2\n.*\n +\^\n\nError: no\n +at f \(.*:2:\d+\)\n +at .*:3:1\n/);
  const missing = await run(t, "import './missing.mjs'");
  assert.match(missing.err, /Cannot find module '\/code\/missing\.mjs' imported from \/code\/main\.mjs/);
});

test('what is thrown shows the program and not the runner', { skip }, async (t) => {
  const thrown = await run(t, "function f() { throw new Error('no') }\nf()");
  assert.deepStrictEqual([thrown.code, thrown.out], [1, '']);
  const shown = /^\/code\/main\.js:1\n.*\n +\^\n\nError: no\n +at f \(\/code\/main\.js:1:22\)\n +at .*main\.js:2:1\)\n/;
  assert.match(thrown.err, shown);
  const syntax = await run(t, 'let a;\nlet let = 1');
  assert.strictEqual(syntax.code, 1);
  assert.match(syntax.err, /^\/code\/main\.js:2\nlet let = 1\n {4}\^\^\^\n\nSyntaxError: let is disallowed/);
  const rejected = await run(t, "Promise.reject(new TypeError('no'))");
  assert.strictEqual(rejected.code, 1);
  assert.match(rejected.err, /TypeError: no/);
  const stack = "console.log(new Error().stack.split('\\n').filter((line) => !/node:internal/.test(line)).length)";
  await check(t, stack, '2\n');
});

test("exit codes, handlers and signals are Node's", { skip }, async (t) => {
  const outcome = async (code) => Object.values(await run(t, code));
  assert.deepStrictEqual(await outcome('process.exit(3)'), [3, '', '']);
  assert.deepStrictEqual(await outcome('process.exitCode = 4'), [4, '', '']);
  assert.deepStrictEqual(await outcome("process.kill(process.pid, 'SIGKILL')"), ['SIGKILL', '', '']);
  const caught = "process.on('uncaughtException', (error) => console.log('caught', error.message)); throw new Error('x')";
  assert.deepStrictEqual(await outcome(caught), [0, 'caught x\n', '']);
  const order = "process.nextTick(() => console.log(2)); Promise.resolve().then(() => console.log(3)); console.log(1)";
  assert.deepStrictEqual(await outcome(order), [0, '1\n2\n3\n', '']);
});

test('long code comes in pieces', { skip }, async (t) => {
  await check(t, `//${'#'.repeat(300_000)}\nconsole.log('end')`, 'end\n');
});

test('a host that breaks the protocol ends it', { skip }, async (t) => {
  const begin = call('').subarray(0, -16);
  for (const [frames, reason] of [
    [frame(END), /does not begin/],
    [call('', { contract: 'cgi' }), /contract cgi/],
    [Buffer.concat([begin, begin]), /inside the code/],
    [call('console.log(1)', { announced: 3 }), /14 bytes of code came, 3 were announced/],
    [Buffer.alloc(16, 0xff), /longer than allowed/],
    [null, /^runner: the host closed the call socket\n$/],
  ]) {
    const { code, out, err } = await finish(start(t, frames));
    assert.deepStrictEqual([code, out], [1, '']);
    assert.match(err, reason);
  }
});
