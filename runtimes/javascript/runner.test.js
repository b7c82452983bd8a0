// Starts the real runner as init does, in a root of its own, and looks at what user code sees.
//
// Run with: node --test runtimes/javascript/runner.test.js
// Every wait is bounded; each runner ends with its test.

'use strict';

const assert = require('node:assert');
const { once } = require('node:events');
const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');

const BEGIN = 0x30;
const BODY = 0x31;
const END = 0x32;
const HELLO = '020000004000000000000000000000000200';
const BOUND = 30_000;
const ASSEMBLE = `
set -e; cd "$0"
mount --rbind /usr usr; mount --rbind /proc proc; mount --rbind /dev/null dev/null
mount -t tmpfs tmpfs code; mount -t tmpfs tmpfs workspace
cp -r files/. workspace/
exec chroot . /usr/bin/env -i -C /workspace /usr/bin/node /opt/faas/runner.js
`;

const NAMESPACES = ['--user', '--map-root-user', '--mount'];
const probe = spawnSync('unshare', [...NAMESPACES, 'true']);
const skip = probe.status === 0 ? false : `no namespaces here: ${probe.error ?? probe.stderr}`;

function frame(kind, body = Buffer.alloc(0), sequence = 0) {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(body.length, 0);
  header[4] = kind;
  header.writeUInt32LE(7, 8);
  header.writeUInt32LE(sequence, 12);
  return Buffer.concat([header, body]);
}

function number(value, bytes) {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUIntLE(value, 0, Math.min(bytes, 6));
  return buffer;
}

function string(text) {
  const bytes = Buffer.from(text);
  return Buffer.concat([number(bytes.length, 4), bytes]);
}

function call(code, { args = [], name = 'main.js', contract = 'script', announced } = {}) {
  const bytes = Buffer.from(code);
  const fields = [string(contract), string(name), number(args.length, 4), ...args.map(string)];
  const frames = [frame(BEGIN, Buffer.concat([...fields, number(announced ?? bytes.length, 8)]))];
  for (let at = 0; at < bytes.length; at += 131072) {
    frames.push(frame(BODY, bytes.subarray(at, at + 131072), at / 131072));
  }
  return Buffer.concat([...frames, frame(END)]);
}

/** One runner that has been sent its call. */
function start(t, frames, files = {}) {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'faas-runner-'));
  t.after(() => fs.rmSync(root, { recursive: true }));
  for (const folder of ['usr', 'proc', 'dev', 'code', 'workspace', 'opt/faas', 'files']) {
    fs.mkdirSync(path.join(root, folder), { recursive: true });
  }
  for (const link of ['bin', 'lib', 'lib64']) fs.symlinkSync(`usr/${link}`, path.join(root, link));
  fs.writeFileSync(path.join(root, 'dev/null'), '');
  fs.copyFileSync(path.join(__dirname, 'runner.js'), path.join(root, 'opt/faas/runner.js'));
  for (const [name, content] of Object.entries(files)) {
    fs.mkdirSync(path.join(root, 'files', path.dirname(name)), { recursive: true });
    fs.writeFileSync(path.join(root, 'files', name), content);
  }
  const child = spawn('unshare', [...NAMESPACES, '/bin/sh', '-c', ASSEMBLE, root], { stdio: Array(4).fill('pipe') });
  const timer = setTimeout(() => child.kill('SIGKILL'), BOUND);
  t.after(() => {
    clearTimeout(timer);
    child.kill('SIGKILL');
  });
  const [stdin, , , socket] = child.stdio;
  for (const stream of [stdin, socket]) stream.on('error', () => {});
  const running = { child, out: '', err: '', said: Buffer.alloc(0) };
  child.stdout.setEncoding('utf8').on('data', (text) => (running.out += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (running.err += text));
  socket.on('data', (bytes) => (running.said = Buffer.concat([running.said, bytes])));
  running.end = once(child, 'close');
  if (frames === null) socket.end();
  else socket.write(frames);
  return running;
}

async function finish(running, stdin = '') {
  running.child.stdin.end(stdin);
  const [code, signal] = await running.end;
  return { code: signal ?? code, out: running.out, err: running.err };
}

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
    [call('', { contract: 'handler' }), /contract handler/],
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
