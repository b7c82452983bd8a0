// Starts the real runner as init does, in a root of its own. Used by the tests beside it.
//
// Every wait is bounded; each runner ends with its test.

'use strict';

const { once } = require('node:events');
const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const BEGIN = 0x30;
const BODY = 0x31;
const END = 0x32;
const HELLO = '020000004000000000000000000000000400';
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
  for (const file of ['runner.js', 'handler.js']) {
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
  if (frames === null) socket.end();
  else socket.write(frames);
  return running;
}

async function finish(running, stdin = '') {
  running.child.stdin.end(stdin);
  const [code, signal] = await running.end;
  return { code: signal ?? code, out: running.out, err: running.err };
}

module.exports = { BEGIN, BODY, END, HELLO, call, finish, frame, number, skip, start, string };
