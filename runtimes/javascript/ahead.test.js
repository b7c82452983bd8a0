// Looks at what a program finds in a runner that waited for its call, beside what it finds where the call was there
// first.
//
// Run with: node --test runtimes/javascript/ahead.test.js

'use strict';

const assert = require('node:assert');
const { test } = require('node:test');
const { call, finish, skip, start } = require('./harness.js');

/** What a program prints, which is the same in both. */
async function same(t, code, { files, ...options } = {}) {
  const first = await finish(start(t, call(code, options), files));
  const waited = await finish(start(Object.assign(t, { waits: true }), call(code, options), files));
  t.waits = false;
  assert.deepStrictEqual(waited, first);
  return first;
}

async function prints(t, code, expected, options) {
  assert.deepStrictEqual(await same(t, code, options), { code: 0, out: expected, err: '' });
}

const LOOK = `
  const fs = require('fs');
  const Module = require('module');
  const see = (value) => JSON.stringify(value);
  const shapeOf = (object) => Object.entries(Object.getOwnPropertyDescriptors(object)).map(([name, found]) => {
    return [name, Object.keys(found), typeof found.value];
  });
  fs.writeSync(1, [
    see([process._getActiveHandles().length, process._getActiveRequests().length, process.getActiveResourcesInfo()]),
    see(fs.readdirSync('/proc/self/fd').map((fd) => { try { return [fd, fs.readlinkSync('/proc/self/fd/' + fd).replace(/\\d+/, '')]; } catch { return fd; } })),
    see(fs.readFileSync('/proc/self/fdinfo/1', 'utf8').split('\\n')[1]),
    see(fs.readdirSync('/proc/self/task').length),
    see([Object.keys(require.cache), module.children, module.paths, module.parent, Object.keys(Module._cache)]),
    see(Object.keys(Module._pathCache)),
    see([process.argv, process.execArgv, process.title, process.exitCode, process.mainModule === module]),
    ...shapeOf(process).map(see),
    ...shapeOf(globalThis).map(see),
    see(process.eventNames().map((name) => [String(name), process.listenerCount(name)])),
    see([Error.stackTraceLimit, typeof Error.prepareStackTrace, require('events').defaultMaxListeners]),
    see(new Error('here').stack),
    see([require('http').globalAgent.sockets, require('timers').setTimeout === setTimeout]),
    see([fs.readdirSync('/code'), fs.readdirSync('/workspace')]),
  ].join('\\n'));`;

test('a program finds the process as it is where its call was there first', { skip }, async (t) => {
  const { code, out, err } = await same(t, LOOK);
  assert.deepStrictEqual([code, err], [0, '']);
  assert.doesNotMatch(out, /ahead/);
});

test('nothing of the runner is left in the loop while a program runs', { skip }, async (t) => {
  const code = 'setTimeout(() => console.log(process.getActiveResourcesInfo()), 1)';
  await prints(t, code, "[ 'Timeout' ]\n");
});

test('what comes in turns comes in the same order', { skip }, async (t) => {
  const code = `
    const say = (what) => () => console.log(what);
    setImmediate(say('immediate'));
    setImmediate(() => { process.nextTick(say('tick of an immediate')); Promise.resolve().then(say('then of an immediate')); });
    process.nextTick(say('tick'));
    Promise.resolve().then(say('then'));
    queueMicrotask(say('microtask'));
    process.on('beforeExit', say('before exit'));
    process.on('exit', say('exit'));`;
  const { code: exit, err } = await same(t, code);
  assert.deepStrictEqual([exit, err], [0, '']);
});

test('what is thrown is shown, and caught, the same way', { skip }, async (t) => {
  for (const code of [
    "function f() { throw new Error('no') }\nf()",
    "process.on('uncaughtException', (error) => console.log(error.stack)); setImmediate(() => console.log(2)); throw new Error('x')",
    "Promise.reject(new TypeError('no'))",
    'let a;\nlet let = 1',
    "import './missing.mjs'",
    "console.trace('here')",
  ]) {
    await same(t, code);
  }
});

test('variables of the call act on what is printed', { skip }, async (t) => {
  const code = "console.log(process.stdout.hasColors?.(), require('util').inspect({ a: 1 }, { colors: false })); console.error(new Error('x').message)";
  await same(t, code, { env: [['FORCE_COLOR', '1'], ['TERM', 'xterm']] });
});

test('a module finds what it would find', { skip }, async (t) => {
  const files = { 'helper.mjs': 'export default 5;' };
  const code = "import five from './helper.mjs'; import { readdirSync } from 'fs'; console.log(five, readdirSync('/code').sort(), process.argv)";
  const { code: exit, err } = await same(t, code, { files });
  assert.deepStrictEqual([exit, err], [0, '']);
});
