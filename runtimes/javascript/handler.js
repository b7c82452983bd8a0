// The handler contract: one program, loaded once, answers one request after the other.
//
// runner.js loads this file where the contract asks for it; shared.js builds on it, for several requests at once.
// Between requests the event loop goes on; the call socket keeps the process alive until the host closes it. The
// program then ends when nothing of its own is left to do, as every program of Node's.
//
// User code is called from an empty stack, and frames of this file are taken out of what is shown.

'use strict';

const fs = require('fs');
const net = require('net');
const { nextTick } = require('process');
const { setImmediate } = require('timers');
const { inspect, types } = require('util');

const HEADER = 16;
const MAX_BODY = 128 * 1024;
const MAX_HEADERS = 4096;
const MAX_MESSAGE = 1000;
const TURNS_OF_CLOSING = 3;
// Of the call socket, and of the standard streams, which are opened when they are first used.
const OURS = new Set(['PipeWrap', 'WriteWrap', 'ShutdownWrap']);
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

// Parts of Node that do not call the program when their timers are due.
const NOT_HEARD = /^node:(?!internal\/abort_controller$)/;

const activeResources = process.getActiveResourcesInfo.bind(process);

const TEXT = 'text/plain; charset=utf-8';
const BYTES = 'application/octet-stream';
const JSON_TEXT = 'application/json';
const ACCEPTED =
  'undefined, null, boolean, number, string, object, array, Buffer, Uint8Array, ArrayBuffer, Response, ' +
  'an (async) iterator, Readable or ReadableStream';
const PIECES = 'string, Buffer, Uint8Array, ArrayBuffer, object or array';
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Takes the exports of a loaded program and answers until the host closes the stream. */
function serve({ descriptor, open, Fields, file, exported, entry, stays, concurrency, call, Host: Kind = Host }) {
  const handle = exported?.[entry];
  if (typeof handle !== 'function') {
    const accepted = 'export it, or give the name of an exported function as entry';
    process.stderr.write(`${file} exports no function '${entry}'; ${accepted}\n`);
    process.exit(1);
  }
  const begin = () => {
    writeAll(descriptor, frameOf(LOADED, call));
    new Kind(open(net.Socket), Fields, answering(handle, entry), concurrency);
  };
  if (!stays) return begin();
  watchUnheld();
  // The threads that Node starts with its first work of this kind are not a call's.
  fs.access(file, begin);
}

/** What has each request answered by a function of the program's. */
function answering(handle, entry) {
  return (request, answer) => {
    // The result of a function that a promise calls: nothing of ours is below it on the stack.
    return Promise.resolve(request)
      .then(handle)
      .then((result) => respond(answer, result, entry))
      .catch((error) => {
        report(error);
        return answer.failed(lineOf(error));
      });
  };
}

/** Answers a request of nobody's into a socket that leads nowhere: a first one would have all this compiled. */
function rehearse(socket, Fields) {
  return new Promise((resolve) => {
    const answered = answering(() => ({ pieces: [1] }), 'rehearsal');
    const host = new Host(socket, Fields, (request, answer) => resolve(answered(request, answer)));
    const fields = ['GET', '/', '', 1, 'accept', '*/*', 0, 0].map((field) => {
      return typeof field === 'number' ? u32(field) : Buffer.concat([u32(field.length), Buffer.from(field)]);
    });
    const frames = [[REQUEST, Buffer.concat(fields)], [END, Buffer.alloc(0)], [CREDIT, u32(MAX_BODY)]];
    for (const [kind, body] of frames) host.read(Buffer.concat([frameOf(kind, 1, body.length), body]));
  });
}

function frameOf(kind, call, length = 0) {
  return Buffer.concat([u32(length), Buffer.from([kind, 0, 0, 0]), u32(call), u32(0)]);
}

/** On a socket that still blocks. One whose other end is gone shows in what is read. */
function writeAll(descriptor, bytes) {
  try {
    fs.writeSync(descriptor, bytes);
  } catch (error) {
    if (error.code !== 'EPIPE') throw error;
  }
}

/** Timers that the program does not have the loop wait for. They go on between calls all the same. */
const unheld = new Set();

/** What Node itself lets go of, such as the time of a connection, says nothing in anybody's call; a signal that
 * it aborts later calls the program. */
function watchUnheld() {
  const timers = [setTimeout(() => {}), setImmediate(() => {})];
  clearTimeout(timers[0]);
  clearImmediate(timers[1]);
  for (const kind of timers.map(Object.getPrototypeOf)) {
    const letGo = kind.unref;
    kind.unref = function unref() {
      if (!NOT_HEARD.test(callerOf(unref))) unheld.add(this);
      return letGo.call(this);
    };
  }
}

/** The file that a function is called from. */
function callerOf(called) {
  const { prepareStackTrace, stackTraceLimit } = Error;
  const place = {};
  try {
    Object.assign(Error, { prepareStackTrace: (_, sites) => sites, stackTraceLimit: 1 });
    Error.captureStackTrace(place, called);
    const file = place.stack[0]?.getFileName();
    Object.assign(Error, { prepareStackTrace, stackTraceLimit });
    return String(file);
  } catch {
    // A program that does not have its stack looked at.
    return '';
  }
}

/** How many of each kind keep the loop alive (timers, handles and requests), and how many timers go on without
 * that. Workers are not among them: init counts threads. */
function resources() {
  const counts = new Map();
  for (const timer of unheld) {
    if (timer._destroyed) unheld.delete(timer);
    else if (!timer.hasRef()) counts.set('unheld', (counts.get('unheld') ?? 0) + 1);
  }
  for (const kind of activeResources()) {
    if (!OURS.has(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

function broken(reason) {
  fs.writeSync(2, `runner: ${reason}\n`);
  process.exit(1);
}

/** The call socket: takes requests in, one at a time, and has each answered. */
class Host {
  constructor(socket, Fields, serve) {
    this.Fields = Fields;
    this.serve = serve;
    this.ahead = Buffer.alloc(0);
    this.incoming = null;
    this.answer = null;
    this.closed = false;
    this.socket = socket;
    this.socket.on('data', (chunk) => this.read(chunk));
    this.socket.on('end', () => this.end());
    this.socket.on('error', (error) => {
      if (this.isAnswering()) broken(`the host closed the call socket: ${error.code}`);
    });
  }

  read(chunk) {
    this.ahead = this.ahead.length === 0 ? chunk : Buffer.concat([this.ahead, chunk]);
    while (this.ahead.length >= HEADER) {
      const length = this.ahead.readUInt32LE(0);
      if (length > MAX_BODY) broken(`frame of ${length} bytes is longer than allowed`);
      if (this.ahead.length < HEADER + length) return;
      const kind = this.ahead[4];
      const call = this.ahead.readUInt32LE(8);
      const body = this.ahead.subarray(HEADER, HEADER + length);
      this.ahead = this.ahead.subarray(HEADER + length);
      this.frame(kind, call, body);
    }
  }

  frame(kind, call, body) {
    if (kind === CREDIT) {
      // A last one may come for the answer before.
      if (this.answer !== null && this.answer.call === call) this.answer.granted(body.readUInt32LE(0));
    } else if (kind === REQUEST && this.answer === null) {
      this.answer = new Answer(this, call);
      this.incoming = new Incoming(new this.Fields(body));
    } else if (kind === BODY && this.incoming !== null) {
      this.incoming.pieces.push(body);
    } else if (kind === END && this.incoming !== null) {
      const request = this.incoming.request();
      this.incoming = null;
      this.serve(request, this.answer);
    } else {
      const place = this.incoming ? 'inside a request' : this.answer ? 'inside an answer' : 'where a request is due';
      broken(`frame of type 0x${kind.toString(16)} ${place}`);
    }
  }

  end() {
    this.closed = true;
    if (this.incoming !== null || this.ahead.length > 0) broken('the host closed the call socket');
    if (this.answer === null) this.socket.destroy();
    else this.answer.granted(0);
  }

  isAnswering() {
    return this.answer !== null;
  }

  answered() {
    this.answer = null;
    if (this.closed) this.socket.end();
  }
}

/** A request whose body is on its way. */
class Incoming {
  constructor(fields) {
    this.head = [fields.string(), fields.string(), fields.string()];
    this.headers = Object.create(null);
    for (let count = fields.u32(); count > 0; count -= 1) this.header(fields.string().toLowerCase(), fields.bytes());
    this.length = fields.u64();
    this.pieces = [];
  }

  /** What came several times is one list, as HTTP has it. */
  header(name, bytes) {
    const text = bytes.toString();
    const value = text.includes('\ufffd') ? bytes.toString('latin1') : text;
    const separator = name === 'cookie' ? '; ' : ', ';
    this.headers[name] = name in this.headers ? this.headers[name] + separator + value : value;
  }

  request() {
    const body = Buffer.concat(this.pieces);
    if (body.length !== this.length) broken(`a body of ${body.length} bytes came, ${this.length} were announced`);
    return new Request(...this.head, new Proxy(this.headers, inAnyCase), body);
  }
}

const lower = (name) => (typeof name === 'string' ? name.toLowerCase() : name);
const inAnyCase = {
  get: (headers, name) => headers[lower(name)],
  has: (headers, name) => lower(name) in headers,
  getOwnPropertyDescriptor: (headers, name) => Object.getOwnPropertyDescriptor(headers, lower(name)),
};

/** What a handler is given. */
class Request {
  #queryParams = null;

  constructor(method, path, queryString, headers, body) {
    this.method = method;
    this.path = path;
    this.queryString = queryString;
    this.headers = headers;
    this.body = body;
  }

  /** The parameters of the query, decoded; of several with one name the last. */
  get queryParams() {
    this.#queryParams ??= Object.fromEntries(new URLSearchParams(this.queryString));
    return this.#queryParams;
  }

  get query_string() {
    return this.queryString;
  }

  getJson() {
    try {
      return JSON.parse(this.getText());
    } catch (error) {
      throw new SyntaxError(`the request's body is not JSON: ${error.message}`);
    }
  }

  getText() {
    return new TextDecoder('utf-8', { fatal: true }).decode(this.body);
  }

  getHeader(name, fallback) {
    return this.headers[name] ?? fallback;
  }
}

for (const [other, name] of Object.entries({
  query_params: 'queryParams',
  get_json: 'getJson',
  get_text: 'getText',
  get_header: 'getHeader',
})) {
  Object.defineProperty(Request.prototype, other, Object.getOwnPropertyDescriptor(Request.prototype, name));
}

/** The frames of one answer. They leave together, as far as that delays nothing. */
class Answer {
  constructor(host, call, before = resources()) {
    this.host = host;
    this.call = call;
    this.credit = 0;
    this.sequence = 0;
    this.unsent = [];
    this.unsentBytes = 0;
    this.begun = false;
    this.wake = null;
    this.before = before;
  }

  head(status, headers) {
    const fields = [u16(status), u32(headers.length)];
    for (const part of headers.flat()) fields.push(u32(part.length), part);
    const body = Buffer.concat(fields);
    if (headers.length > MAX_HEADERS || body.length > MAX_BODY) {
      const limits = `at most ${MAX_HEADERS} and ${MAX_BODY} are accepted`;
      throw refusal(`${headers.length} headers make a head of ${body.length} bytes; ${limits}`, RangeError);
    }
    this.add(HEAD, body);
  }

  async body(bytes) {
    for (let at = 0; at < bytes.length; ) {
      if (this.credit === 0) {
        await this.moreCredit();
        continue;
      }
      const piece = bytes.subarray(at, at + Math.min(this.credit, MAX_BODY));
      this.add(ANSWER, piece, this.sequence);
      this.credit -= piece.length;
      this.sequence += 1;
      at += piece.length;
      if (this.unsentBytes >= MAX_BODY) await this.send();
    }
  }

  async moreCredit() {
    await this.send();
    if (this.credit > 0) return;
    if (this.host.closed) this.lost();
    await new Promise((resolve) => (this.wake = resolve));
  }

  granted(bytes) {
    this.credit += bytes;
    this.wake?.();
  }

  lost() {
    broken('the host closed the call socket');
  }

  // What was printed before has been written: the streams of Node are synchronous for pipes and files.
  end() {
    return this.leave(ANSWER_END, Buffer.alloc(0));
  }

  failed(message) {
    if (!this.begun) this.unsent = [];
    const text = Buffer.from(message);
    return this.leave(FAILED, Buffer.concat([u32(text.length), text]));
  }

  /** What the call leaves in the loop cannot be told from what the next one does. */
  async leave(kind, body) {
    // What was begun last is there with the next tick, and what was closed is gone some turns of the loop later.
    await new Promise((resolve) => nextTick(resolve));
    for (let turns = 0; this.isBusy(); turns += 1) {
      if (turns === TURNS_OF_CLOSING) {
        this.add(BUSY, Buffer.alloc(0));
        break;
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.last(kind, body);
  }

  isBusy(now = resources()) {
    return [...now].some(([kind, count]) => count > (this.before.get(kind) ?? 0));
  }

  last(kind, body) {
    this.add(kind, body);
    this.send();
    this.host.answered(this);
  }

  add(kind, body, sequence = 0) {
    this.unsent.push(u32(body.length), Buffer.from([kind, 0, 0, 0]), u32(this.call), u32(sequence), body);
    this.unsentBytes += body.length;
  }

  /** Settles when the socket takes more. */
  async send() {
    if (this.unsent.length === 0) return;
    const frames = Buffer.concat(this.unsent);
    this.unsent = [];
    this.unsentBytes = 0;
    this.begun = true;
    const { socket } = this.host;
    if (!socket.write(frames)) await new Promise((resolve) => socket.once('drain', resolve));
  }
}

function u16(value) {
  return Buffer.from([value & 0xff, value >> 8]);
}

function u32(value) {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

async function respond(answer, result, entry) {
  const { status = 200, headers = [], kind, bytes, pieces } = partsOf(result, entry);
  const checked = headers.map(([name, value]) => checkedHeader(name, value));
  const isTyped = checked.some(([name]) => name.toString().toLowerCase() === 'content-type');
  if (kind !== undefined && !isTyped) checked.unshift([Buffer.from('content-type'), Buffer.from(kind)]);
  answer.head(status, checked);
  if (bytes !== undefined) await answer.body(bytes);
  else await stream(answer, pieces, entry);
  await answer.end();
}

/** Sends each piece when it has been produced: the head with the first. */
async function stream(answer, pieces, entry) {
  for await (const piece of pieces) {
    let bytes = bytesOf(piece);
    if (bytes === null) {
      if (typeof piece !== 'object' || piece === null) {
        throw refusal(`${entry} yielded ${nameOf(piece)}; accepted: ${PIECES}`);
      }
      bytes = Buffer.concat([jsonOf(piece, `${entry} yielded`), Buffer.from('\n')]);
    }
    await answer.body(bytes);
    await answer.send();
  }
}

/** A result as content type and bytes or pieces; a Response brings status and headers of its own. */
function partsOf(result, entry) {
  if (Object.prototype.toString.call(result) === '[object Response]') return partsOfResponse(result, entry);
  const bytes = bytesOf(result);
  if (bytes !== null) return { kind: typeof result === 'string' ? TEXT : BYTES, bytes };
  if (typeof result === 'object' && result !== null && !Array.isArray(result)) {
    const isIterable = typeof result[Symbol.iterator] === 'function';
    const isIterator = isIterable && typeof result.next === 'function';
    if (isIterator || typeof result[Symbol.asyncIterator] === 'function') return { kind: TEXT, pieces: result };
    // JSON has nothing for a Map or a Set, and would lose what is in it.
    if (isIterable && typeof result.toJSON !== 'function') {
      throw refusal(`${entry} returned ${nameOf(result)}; accepted: ${ACCEPTED}`);
    }
  }
  return { kind: JSON_TEXT, bytes: jsonOf(result, `${entry} returned`) };
}

function partsOfResponse(response, entry) {
  const { status, headers, body } = response;
  if (response.bodyUsed) throw refusal(`${entry} returned a Response whose body has been read`);
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw refusal(`${entry} returned status ${status}; accepted: an integer from 200 to 599`, RangeError);
  }
  const answer = { status, headers: [...headers] };
  return body === null ? { ...answer, bytes: Buffer.alloc(0) } : { ...answer, pieces: body };
}

function checkedHeader(name, value) {
  if (!TOKEN.test(name)) {
    throw refusal(`the header name ${inspect(name)} is not accepted: letters, digits and !#$%&'*+-.^_\`|~`);
  }
  if (!VALUE.test(value)) {
    throw refusal(`the header ${name} is ${inspect(value)}; accepted: bytes without CR, LF, NUL or other control`);
  }
  return [Buffer.from(name), Buffer.from(value, 'latin1')];
}

function bytesOf(value) {
  if (typeof value === 'string') return Buffer.from(value);
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return types.isAnyArrayBuffer(value) ? Buffer.from(value) : null;
}

function jsonOf(value, did) {
  let text;
  let cause = '';
  try {
    text = JSON.stringify(value === undefined ? null : value);
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    cause = ` that is not JSON (${error.message.split('\n', 1)[0]})`;
  }
  if (text === undefined) throw refusal(`${did} ${nameOf(value)}${cause}; accepted: ${ACCEPTED}`);
  return Buffer.from(text);
}

function nameOf(value) {
  return value === null || typeof value !== 'object' ? typeof value : value.constructor?.name ?? 'object';
}

/** An error of what was returned: no place in the program raised it. */
function refusal(message, kind = TypeError) {
  const error = new kind(message);
  error.stack = `${error.name}: ${message}`;
  return error;
}

/** Shows what was thrown as Node does, without the runner's frames. */
function report(error) {
  let text;
  try {
    text = isError(error) ? inspect(error) : `Uncaught ${inspect(error)}`;
  } catch {
    text = 'Uncaught error that cannot be shown';
  }
  const lines = text.split('\n').filter((line) => !/^\s+at /.test(line) || !line.includes(`${__dirname}/`));
  process.stderr.write(`${lines.join('\n')}\n`);
}

function lineOf(error) {
  let text;
  try {
    text = isError(error) ? String(error) : `Error: threw ${inspect(error, { depth: 0 })}`;
  } catch {
    text = 'Error: threw what cannot be shown';
  }
  return text.slice(0, 4 * MAX_MESSAGE).replace(/\s+/g, ' ').trim().slice(0, MAX_MESSAGE);
}

function isError(value) {
  return types.isNativeError(value) || value instanceof Error;
}

module.exports = { serve, rehearse, Host, Answer, Incoming, broken, resources, u32, TURNS_OF_CLOSING };
