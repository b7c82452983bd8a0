// The handler contract for a program that answers several requests at once.
//
// The event loop serves all calls. Each runs with its answer in an AsyncLocalStorage, by which what it prints is found
// to be its own: that is sent to the host as `Printed`, under the credit of the call, and never as another's. What is
// printed outside of any call, or by what goes on in one that is over, goes to the descriptors.
//
// runner.js loads this file before the program, whose own changes to the standard streams lie above these.

'use strict';

const { AsyncLocalStorage } = require('async_hooks');
const { nextTick } = require('process');
const { Writable } = require('stream');
const { setImmediate } = require('timers');
const handler = require('./handler.js');
delete require.cache[require.resolve('./handler.js')];

const { broken, resources, u32, TURNS_OF_CLOSING } = handler;
const MAX_PRINTED = 128 * 1024 - 1;
// Of each stream of a call, before its writes fail: who heeds what write() says waits long before.
const MAX_HELD = 1024 * 1024;
const TOO_MUCH = 'this call printed 1 MiB that nobody has taken yet, so what it prints is dropped';
const BODY = 0x31;
const END = 0x32;
const CREDIT = 0x33;
const REQUEST = 0x34;
const BUSY = 0x46;
const PRINTED = 0x47;
// A stream writes one thing at a time.
const WRITING = 'SimpleWriteWrap';
const GONE = 'the host closed the call socket';

/** The answer on whose behalf the program runs. */
const current = new AsyncLocalStorage();

const OUTSIDE = {};
/** On whose behalf each listener waits for a standard stream to drain. */
const waiting = new WeakMap();

for (const [number, stream] of [[1, process.stdout], [2, process.stderr]]) {
  const { write } = stream;
  stream.write = function (...given) {
    const answer = current.getStore();
    if (answer === undefined || answer.isOver) return write.apply(this, given);
    const own = answer.stream(number, stream);
    return own.writableLength < MAX_HELD ? own.write(...given) : answer.drop(given.at(-1));
  };
  stream.on('newListener', (event, listener) => {
    if (event !== 'drain') return;
    if (!waiting.has(listener)) waiting.set(listener, new WeakSet());
    waiting.get(listener).add(current.getStore() ?? OUTSIDE);
  });
}

/** Tells those who wait in the call, and those outside of calls, who wait for all. Nobody writes as another. */
function drained(stream, answer) {
  for (const listener of stream.rawListeners('drain')) {
    const owners = waiting.get(listener.listener ?? listener);
    if (owners?.has(answer)) listener.call(stream);
    else if (owners?.has(OUTSIDE)) current.run(undefined, () => listener.call(stream));
  }
}

/** Takes the exports of a loaded program and answers until the host closes the stream. */
exports.serve = function serve(options) {
  handler.serve({ ...options, Host: SharedHost });
};

/** The call socket: takes requests in, whose frames may lie between each other's, and has each answered. */
class SharedHost extends handler.Host {
  constructor(socket, Fields, serve, concurrency) {
    super(socket, Fields, serve);
    this.concurrency = concurrency;
    this.calls = new Map();
    this.highest = 0;
    this.before = null;
    this.unanswered = false;
    // Each answer may wait for it to drain.
    this.socket.setMaxListeners(0);
  }

  frame(kind, call, body) {
    const asked = this.calls.get(call);
    if (kind === CREDIT) {
      // A last one may come for an answer before.
      asked?.answer.granted(body.readUInt32LE(0));
    } else if (kind === REQUEST && call > this.highest && this.calls.size < this.concurrency) {
      if (this.calls.size === 0) this.before = this.resources();
      this.highest = call;
      const incoming = new handler.Incoming(new this.Fields(body));
      this.calls.set(call, { incoming, answer: new SharedAnswer(this, call, this.before) });
    } else if (kind === BODY && asked?.incoming) {
      asked.incoming.pieces.push(body);
    } else if (kind === END && asked?.incoming) {
      const request = asked.incoming.request();
      asked.incoming = null;
      current.run(asked.answer, () => this.serve(request, asked.answer));
    } else {
      const place = asked?.incoming ? 'inside its request' : asked ? 'inside its answer' : 'where no request is due';
      broken(`frame of type 0x${kind.toString(16)} for call ${call}, ${this.calls.size} under way, ${place}`);
    }
  }

  /** What has all it needs is finished. */
  end() {
    this.closed = true;
    this.unanswered = this.ahead.length > 0;
    for (const { incoming, answer } of [...this.calls.values()]) {
      if (incoming) answer.lost();
      else answer.granted(0);
    }
    if (this.calls.size === 0) this.finish();
  }

  /** Without what this socket has on its way. */
  resources() {
    const counts = resources();
    if (this.socket.writableLength > 0) counts.set(WRITING, (counts.get(WRITING) ?? 1) - 1);
    return counts;
  }

  isAnswering() {
    return this.calls.size > 0;
  }

  answered(answer) {
    answer.isOver = true;
    this.calls.delete(answer.call);
    if (this.closed && this.calls.size === 0) this.finish();
  }

  finish() {
    if (this.unanswered) broken(GONE);
    this.socket.end();
  }
}

/** The frames of one answer, and of what its call prints. */
class SharedAnswer extends handler.Answer {
  constructor(...given) {
    super(...given);
    this.isOver = false;
    this.streams = new Map();
    this.unprinted = [];
    this.allPrinted = null;
    this.hasDropped = false;
  }

  /** What a call sees of a standard stream: a buffer of its own that nobody else can fill. */
  stream(number, shown) {
    if (!this.streams.has(number)) {
      const write = (bytes, _, written) => this.print(number, bytes, written);
      const stream = new Writable({ write });
      stream.on('drain', () => drained(shown, this));
      this.streams.set(number, stream);
    }
    return this.streams.get(number);
  }

  print(number, bytes, written) {
    if (this.isOver || bytes.length === 0) return written();
    this.unprinted.push({ number, bytes, written });
    this.sendPrinted();
  }

  /** A write that fails. Nobody need look at that, so the call's standard error says it too, once. */
  drop(written) {
    if (typeof written === 'function') nextTick(written, new Error(TOO_MUCH));
    if (!this.hasDropped) this.unprinted.push({ number: 2, bytes: Buffer.from(`runner: ${TOO_MUCH}\n`), written() {} });
    this.hasDropped = true;
    return false;
  }

  /** As far as there is credit. What waits comes before what is answered later. */
  sendPrinted() {
    while (this.unprinted.length > 0 && this.credit > 0) {
      const [next] = this.unprinted;
      const piece = next.bytes.subarray(0, Math.min(this.credit, MAX_PRINTED));
      next.bytes = next.bytes.subarray(piece.length);
      this.credit -= piece.length;
      const head = [u32(1 + piece.length), Buffer.from([PRINTED, 0, 0, 0]), u32(this.call), u32(0)];
      this.host.socket.write(Buffer.concat([...head, Buffer.from([next.number]), piece]));
      if (next.bytes.length > 0) continue;
      this.unprinted.shift();
      next.written();
    }
    if (this.unprinted.length === 0) this.allPrinted?.();
    else if (this.host.closed) this.lost();
  }

  granted(bytes) {
    this.credit += bytes;
    // Who is told that it was written is the call.
    current.run(this, () => this.sendPrinted());
    this.wake?.();
  }

  /** There will be no more credit. What needs none is answered before the program ends. */
  lost() {
    if (this.isOver) return;
    this.host.unanswered = true;
    this.host.answered(this);
  }

  /** Between the last look and the last frame nothing else runs: of several that end at once, one is the last. */
  async leave(kind, body) {
    await new Promise((resolve) => nextTick(resolve));
    for (let turns = 0; ; ) {
      if (this.unprinted.length > 0) {
        // There is more credit when the host has had what was taken for the body.
        this.send();
        await new Promise((resolve) => (this.allPrinted = resolve));
      } else if (!this.isBusy()) {
        break;
      } else if (turns === TURNS_OF_CLOSING) {
        this.add(BUSY, Buffer.alloc(0));
        break;
      } else {
        turns += 1;
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    if (!this.isOver) this.last(kind, body);
  }

  /** What goes on beside other calls may be theirs. */
  isBusy() {
    return this.host.calls.size === 1 && super.isBusy(this.host.resources());
  }
}
