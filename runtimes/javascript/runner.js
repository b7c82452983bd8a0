// The Node runner: holds user code, speaks call frames on descriptor 3.
//
// Three steps, kept apart so that an initialised runner can wait between them: initialise() once,
// waitForCall() until the host has sent one, run() it. Where no call is there yet, ahead.js loads before
// the second what calls need. No handle that is open, timer or promise of the runner's exists when user
// code starts. A handler answers its requests in handler.js once its program has been loaded, and several
// at once in shared.js.
//
// User code starts from an empty stack, as a callback, so neither its stack traces nor the frames
// it can see contain this file.

'use strict';

const fs = require('fs');
const Module = require('module');
const vm = require('vm');

const VERSION = 8;
const SOCKET = 3;
const HEADER = 16;
const MAX_BODY = 128 * 1024;
const BEGIN = 0x30;
const BODY = 0x31;
const END = 0x32;
const CONTRACTS = ['script', 'argv-json', 'handler'];
const CODE = '/code/';
const WORKSPACE = '/workspace/';

// What the compiler says of code that is only valid in a module.
const ONLY_IN_A_MODULE = [
  'Cannot use import statement outside a module',
  "Cannot use 'import.meta' outside a module",
  "Unexpected token 'export'",
  'await is only valid in async functions and the top level bodies of modules',
  'Unexpected reserved word',
];

class BrokenCall extends Error {}

/** The call socket. What reads from it waits, but for the look whether there is something to read. */
class CallSocket {
  constructor() {
    this.handle = null;
    this.first = Buffer.alloc(0);
  }

  /** Whether nothing has come yet, and not the stream's end. */
  isSilent() {
    if (this.first.length > 0) return false;
    try {
      this.handle ??= pipeOn(SOCKET);
      this.handle.setBlocking(false);
      const bytes = Buffer.allocUnsafe(HEADER);
      this.first = bytes.subarray(0, fs.readSync(SOCKET, bytes, 0, HEADER, null));
      return false;
    } catch (error) {
      // Any other shows again where the call is read.
      return error.code === 'EAGAIN';
    } finally {
      this.handle?.setBlocking(true);
    }
  }

  readExactly(length) {
    const bytes = Buffer.allocUnsafe(length);
    let at = this.first.copy(bytes);
    this.first = this.first.subarray(at);
    while (at < length) {
      const count = fs.readSync(SOCKET, bytes, at, length - at, null);
      if (count === 0) throw new BrokenCall('the host closed the call socket');
      at += count;
    }
    return bytes;
  }

  readFrame() {
    const header = this.readExactly(HEADER);
    const length = header.readUInt32LE(0);
    if (length > MAX_BODY) throw new BrokenCall(`frame of ${length} bytes is longer than allowed`);
    return { kind: header[4], call: header.readUInt32LE(8), body: this.readExactly(length) };
  }

  /** As a socket of Node's, which does not wait. */
  open(Socket) {
    this.handle?.setBlocking(false);
    const end = this.handle === null ? { fd: SOCKET } : { handle: this.handle };
    return new Socket({ ...end, readable: true, writable: true, allowHalfOpen: true });
  }

  /** The descriptor is closed at once. */
  close() {
    if (this.handle === null) return fs.closeSync(SOCKET);
    this.handle.unref();
    this.handle.close();
  }
}

/** Node's own handle of a descriptor, which no longer waits then. Nothing of Node's but this makes it so. */
function pipeOn(descriptor) {
  const { Pipe, constants } = process.binding('pipe_wrap');
  const pipe = new Pipe(constants.SOCKET);
  const error = pipe.open(descriptor);
  if (error < 0) throw new Error(`descriptor ${descriptor} cannot be opened: ${error}`);
  return pipe;
}

/** Makes the process what a program expects: this file was never its main module. */
function initialise() {
  process.mainModule = undefined;
  delete require.cache[__filename];
}

/** Says hello and reads one call. The socket stays open only where user code answers. */
function waitForCall(socket) {
  const hello = Buffer.alloc(HEADER + 2);
  hello.writeUInt32LE(2, 0);
  hello[4] = 0x40;
  hello.writeUInt16LE(VERSION, HEADER);
  fs.writeSync(SOCKET, hello);

  const begin = socket.readFrame();
  if (begin.kind !== BEGIN) throw new BrokenCall('the call does not begin with Begin');
  const fields = new Fields(begin.body);
  const contract = fields.string();
  const name = fields.string();
  const args = Array.from({ length: fields.u32() }, () => fields.string());
  for (let left = fields.u32(); left > 0; left -= 1) setVariable(fields.string(), fields.string());
  const length = fields.u64();
  if (!CONTRACTS.includes(contract)) {
    throw new BrokenCall(`contract ${contract} is not one of ${CONTRACTS.join(', ')}`);
  }
  const pieces = [];
  for (let frame = socket.readFrame(); frame.kind !== END; frame = socket.readFrame()) {
    if (frame.kind !== BODY) throw new BrokenCall(`frame of type ${frame.kind} inside the code`);
    pieces.push(frame.body);
  }
  const code = Buffer.concat(pieces);
  if (code.length !== length) throw new BrokenCall(`${code.length} bytes of code came, ${length} were announced`);
  if (contract === 'handler') return { name, args: [], code, handler: handlerAsked(args, begin.call, socket) };
  socket.close();
  return { name, args, code };
}

/** A variable of the call for which this process waited. */
function setVariable(name, value) {
  process.env[name] = value;
}

function handlerAsked([entry, stays, concurrency], call, socket) {
  if (concurrency !== undefined && !/^([2-9]|[1-9]\d|100)$/.test(concurrency)) {
    throw new BrokenCall(`${concurrency} calls at once were asked for; from 2 to 100 are possible`);
  }
  const open = (Socket) => socket.open(Socket);
  return { entry, stays: stays === 'stays', concurrency: Number(concurrency ?? 1), call, open };
}

/** Reads the fields of a body in their order. */
class Fields {
  constructor(body) {
    this.body = body;
    this.at = 0;
  }

  u32() {
    this.at += 4;
    return this.body.readUInt32LE(this.at - 4);
  }

  u64() {
    this.at += 8;
    return Number(this.body.readBigUInt64LE(this.at - 8));
  }

  bytes() {
    const length = this.u32();
    this.at += length;
    return this.body.subarray(this.at - length, this.at);
  }

  string() {
    return this.bytes().toString();
  }
}

/** Runs the code as `node FILE` would: CommonJS, or a module where only that is valid. What it
 * exports is given to `loaded`, where it is a handler. */
function run({ name, args, code, handler }) {
  const loaded = handler === undefined ? null : handlerOf(CODE + name, handler);
  let source = code.toString('utf8');
  if (source.startsWith('\ufeff')) source = source.slice(1);
  process.argv = [process.execPath, CODE + name, ...args];
  if (name.endsWith('.mjs')) return runModule(name, source, loaded);
  // A first line `#!` is allowed in a file, and a comment of the same length is allowed everywhere.
  if (source.startsWith('#!')) source = `//${source.slice(2)}`;
  try {
    runCommonJs(CODE + name, source, loaded);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    if (!ONLY_IN_A_MODULE.some((message) => error.message.includes(message))) {
      return runByNode(CODE + name, source, loaded);
    }
    runModule(name, source, loaded);
  }
}

/** Loads the other half, which no other contract pays for. Gives what takes the program's exports. */
function handlerOf(file, handler) {
  const { serve } = handler.concurrency === 1 ? (answering ?? half('./handler.js')) : half('./shared.js');
  return (exported) => serve({ descriptor: SOCKET, Fields, file, exported, ...handler });
}

/** Another file of the runner's, which the program does not find among its modules. */
function half(name) {
  const known = new Set(Object.keys(Module._pathCache));
  const exported = require(name);
  delete require.cache[require.resolve(name)];
  for (const key of Object.keys(Module._pathCache)) if (!known.has(key)) delete Module._pathCache[key];
  return exported;
}

function runCommonJs(filename, source, loaded) {
  const options = { filename };
  if (/\bimport\s*\(/.test(source)) {
    options.importModuleDynamically = vm.constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER;
    linkWorkspace();
  }
  const program = vm.compileFunction(source, ['exports', 'require', 'module', '__filename', '__dirname'], options);
  if ('importModuleDynamically' in options) {
    if (options.importModuleDynamically === undefined) return runByNode(filename, source, loaded);
    warnOfImportUnheard(options);
  }
  const main = mainModule(filename, loaded);
  const ownRequire = Module.createRequire(WORKSPACE + 'main.js');
  process.nextTick(program.bind(main.exports, main.exports, ownRequire, main, filename, WORKSPACE.slice(0, -1)));
  if (loaded) process.nextTick(() => loaded(main.exports));
}

/** Node's own compilation: for the errors it prints, and for `import()` before Node 20.12, which has
 * no other way. `__dirname` is the directory of the code then. */
function runByNode(filename, source, loaded) {
  const main = mainModule(filename, loaded);
  process.nextTick(main._compile.bind(main, source, filename));
  if (loaded) process.nextTick(() => loaded(main.exports));
}

/** The module user code runs in. It finds others from the workspace. A handler's is not the main
 * one, so that what it does only as a program stays undone. */
function mainModule(filename, loaded) {
  const main = new Module(loaded ? filename : '.', null);
  main.filename = WORKSPACE + filename.slice(CODE.length);
  main.paths = Module._nodeModulePaths(WORKSPACE);
  if (!loaded) process.mainModule = main;
  return main;
}

/** Node warns once about how we ask for `import()`. User code did not ask, and must not read it. */
function warnOfImportUnheard({ importModuleDynamically }) {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  vm.compileFunction("import('node:fs')", [], { importModuleDynamically })();
  process.emitWarning = emitWarning;
}

/** Modules are loaded from files only, so the code becomes one. */
function runModule(name, source, loaded) {
  const filename = CODE + name.replace(/\.[cm]?js$/, '') + '.mjs';
  process.argv[1] = filename;
  linkWorkspace();
  fs.writeFileSync(filename, source);
  process.nextTick(importMain, filename, loaded);
}

function importMain(filename, loaded) {
  const exported = import(`file://${filename}`);
  if (loaded) exported.then(loaded);
}

/** Modules resolve names from where they lie: what lies in the workspace is made to lie there too. */
function linkWorkspace() {
  let names;
  try {
    names = fs.readdirSync(WORKSPACE);
  } catch {
    return;
  }
  for (const name of names) {
    try {
      fs.symlinkSync(WORKSPACE + name, CODE + name);
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
  }
}

/** Whether nobody has called yet, where that can be asked without a warning of Node's. */
function isWaiting(socket) {
  const { NODE_OPTIONS, NODE_PENDING_DEPRECATION } = process.env;
  return NODE_OPTIONS === undefined && NODE_PENDING_DEPRECATION === undefined && socket.isSilent();
}

function begin(socket) {
  try {
    run(waitForCall(socket));
  } catch (error) {
    fs.writeSync(2, `runner: ${error instanceof BrokenCall ? error.message : error.stack}\n`);
    process.exitCode = 1;
  }
}

/** The handler half, where it was loaded ahead. */
let answering = null;

initialise();
const socket = new CallSocket();
if (isWaiting(socket)) {
  answering = half('./handler.js');
  const ahead = half('./ahead.js');
  ahead.load({ goesOn: () => socket.isSilent(), pipeOn, answering, Fields, run }).then(() => setImmediate(begin, socket));
} else {
  begin(socket);
}
