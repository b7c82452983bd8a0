// Starts the real runner as init does, in a root of its own. Used by the tests beside it.
//
// Every wait is bounded; each runner ends with its test.

'use strict';

const assert = require('node:assert');
const { once } = require('node:events');
const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const runTest = require('node:test').test;

const BEGIN = 0x30;
const BODY = 0x31;
const END = 0x32;
const CREDIT = 0x33;
const REQUEST = 0x34;
const HEAD = 0x41;
const ANSWER = 0x42;
const ANSWER_END = 0x43;
const FAILED = 0x44;
const LOADED = 0x45;
const BUSY = 0x46;
const PRINTED = 0x47;
const PIECE = 131072;
const HELLO = '020000004000000000000000000000000800';
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

function frame(kind, body = Buffer.alloc(0), sequence = 0, number = 7) {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(body.length, 0);
  header[4] = kind;
  header.writeUInt32LE(number, 8);
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

function call(code, { args = [], name = 'main.js', contract = 'script', env = [], announced } = {}) {
  const bytes = Buffer.from(code);
  const fields = [string(contract), string(name), number(args.length, 4), ...args.map(string)];
  fields.push(number(env.length, 4), ...env.flat().map(string));
  const frames = [frame(BEGIN, Buffer.concat([...fields, number(announced ?? bytes.length, 8)]))];
  for (let at = 0; at < bytes.length; at += PIECE) {
    frames.push(frame(BODY, bytes.subarray(at, at + PIECE), at / PIECE));
  }
  return Buffer.concat([...frames, frame(END)]);
}

/** A test of a runner whose call is there first, and of one that has waited for it. */
function test(name, options, body) {
  runTest(name, options, body);
  runTest(`${name}, where it waited`, options, (t) => body(Object.assign(t, { waits: true })));
}

/** One runner that has been sent its call: at once, or, in a test that has it wait, when it has said hello. */
function start(t, frames, files = {}) {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'faas-runner-'));
  t.after(() => fs.rmSync(root, { recursive: true }));
  for (const folder of ['usr', 'proc', 'dev', 'code', 'workspace', 'opt/faas', 'files']) {
    fs.mkdirSync(path.join(root, folder), { recursive: true });
  }
  for (const link of ['bin', 'lib', 'lib64']) fs.symlinkSync(`usr/${link}`, path.join(root, link));
  fs.writeFileSync(path.join(root, 'dev/null'), '');
  for (const file of ['runner.js', 'ahead.js', 'handler.js', 'shared.js']) {
    fs.copyFileSync(path.join(__dirname, file), path.join(root, 'opt/faas', file));
  }
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
  const running = { child, socket, out: '', err: '', said: Buffer.alloc(0) };
  child.stdout.setEncoding('utf8').on('data', (text) => (running.out += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (running.err += text));
  socket.on('data', (bytes) => (running.said = Buffer.concat([running.said, bytes])));
  running.end = once(child, 'close');
  if (t.waits) {
    socket.cork();
    socket.once('data', () => socket.uncork());
  }
  if (frames !== null) socket.write(frames);
  else if (t.waits) socket.once('data', () => socket.end());
  else socket.end();
  return running;
}

async function finish(running, stdin = '') {
  running.child.stdin.end(stdin);
  const [code, signal] = await running.end;
  return { code: signal ?? code, out: running.out, err: running.err };
}

function request(id, options = {}) {
  const { body = '', method = 'GET', path = '/', query = '', headers = [], piece = PIECE } = options;
  const bytes = Buffer.from(body);
  const fields = [string(method), string(path), string(query), number(headers.length, 4)];
  for (const [name, value] of headers) {
    const given = Buffer.from(value);
    fields.push(string(name), number(given.length, 4), given);
  }
  const frames = [frame(REQUEST, Buffer.concat([...fields, number(options.announced ?? bytes.length, 8)]), 0, id)];
  for (let at = 0; at < bytes.length; at += piece) {
    frames.push(frame(BODY, bytes.subarray(at, at + piece), at / piece, id));
  }
  return Buffer.concat([...frames, frame(END, undefined, 0, id)]);
}

const credit = (id, bytes) => frame(CREDIT, number(bytes, 4), 0, id);

function headOf(body) {
  const headers = [];
  let at = 6;
  const part = () => {
    const length = body.readUInt32LE(at);
    at += 4 + length;
    return body.toString('latin1', at - length, at);
  };
  for (let count = body.readUInt32LE(2); count > 0; count -= 1) headers.push([part(), part()]);
  assert.strictEqual(at, body.length);
  return { status: body.readUInt16LE(0), headers };
}

/** One runner that has been sent its program, and its host. */
class Conversation {
  constructor(t, frames, files) {
    this.running = start(t, frames, files);
    this.at = 0;
  }

  async exactly(length) {
    const { running } = this;
    while (running.said.length < this.at + length) {
      const ended = await Promise.race([once(running.socket, 'data').then(() => false), running.end]);
      if (ended) throw new Error(`the runner ended with ${ended}: ${running.out} ${running.err}`);
    }
    this.at += length;
    return running.said.subarray(this.at - length, this.at);
  }

  /** The next frame that is not of the beginning. */
  async next() {
    if (this.at === 0) {
      assert.strictEqual((await this.exactly(18)).toString('hex'), HELLO);
      assert.deepStrictEqual(await this.exactly(16), frame(LOADED));
    }
    const header = await this.exactly(16);
    assert.deepStrictEqual([...header.subarray(5, 8)], [0, 0, 0]);
    const body = await this.exactly(header.readUInt32LE(0));
    return { kind: header[4], call: header.readUInt32LE(8), sequence: header.readUInt32LE(12), body };
  }

  /** Closes the stream. Gives exit code, stdout, stderr. */
  end() {
    this.running.socket.end();
    return finish(this.running);
  }
}

const kinds = { BEGIN, BODY, END, REQUEST, HEAD, ANSWER, ANSWER_END, FAILED, BUSY, PRINTED };
const said = { HELLO, PIECE, call, credit, frame, headOf, request };
module.exports = { ...kinds, ...said, Conversation, finish, skip, start, test };
