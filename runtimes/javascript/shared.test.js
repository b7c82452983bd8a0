// Looks at a program that answers several requests at once.
//
// Run with: node --test runtimes/javascript/shared.test.js

'use strict';

const assert = require('node:assert');
const { once } = require('node:events');
const { BODY, END, REQUEST, HEAD, ANSWER, ANSWER_END, FAILED, BUSY, PRINTED, PIECE } = require('./harness.js');
const { Conversation, call, credit, finish, frame, headOf, request, skip, start, test } = require('./harness.js');

const MUCH = 16 << 20;
const WELL = { code: 0, out: '', err: '' };

/** Several calls that wait for each other: `await meet(n)` goes on when n of them have come. */
const MEET = `
  const met = [];
  const meet = (all) => new Promise((go) => {
    met.push(go);
    if (met.length === all) for (const each of met.splice(0)) each();
  });`;

function program(code, concurrency = '10') {
  return call(code, { args: ['handle', 'stays', concurrency], contract: 'handler' });
}

/** A host that asks several things at once, and holds the runner to the protocol. */
class Sharing extends Conversation {
  constructor(t, code, concurrency) {
    super(t, program(code, concurrency));
    this.calls = new Map();
    this.overs = [];
  }

  write(...frames) {
    this.running.socket.write(Buffer.concat(frames));
  }

  begin(id) {
    this.calls.set(id, { out: '', err: '', body: '', pieces: 0, credit: 0, busy: false });
  }

  grant(id, bytes) {
    this.calls.get(id).credit += bytes;
    this.write(credit(id, bytes));
  }

  /** Asks what each number's options say. */
  ask(asked) {
    for (const [id, { granted = MUCH, ...options }] of Object.entries(asked)) {
      this.begin(Number(id));
      this.calls.get(Number(id)).credit = granted;
      // Together, so that an answer does not sometimes wait for credit.
      this.write(request(Number(id), options), ...(granted > 0 ? [credit(Number(id), granted)] : []));
    }
  }

  /** Takes the next frame. Gives its call. */
  async frame() {
    const { kind, call: id, sequence, body } = await this.next();
    const asked = this.calls.get(id);
    assert(asked && !this.overs.includes(id), `frame of type ${kind} for call ${id}, which is not under way`);
    assert.strictEqual(sequence, kind === ANSWER ? asked.pieces : 0);
    assert.strictEqual(asked.busy && kind !== FAILED && kind !== ANSWER_END, false);
    const taken = { [ANSWER]: body.length, [PRINTED]: body.length - 1 }[kind];
    if (taken !== undefined) {
      assert(taken > 0 && body.length <= PIECE && taken <= asked.credit, `${taken} of ${asked.credit}`);
      asked.credit -= taken;
    }
    if (kind === PRINTED) {
      assert([1, 2].includes(body[0]));
      asked[body[0] === 1 ? 'out' : 'err'] += body.toString('latin1', 1);
    } else if (kind === HEAD) {
      assert.strictEqual(asked.status, undefined);
      asked.status = headOf(body).status;
    } else if (kind === ANSWER) {
      asked.pieces += 1;
      asked.body += body.toString('latin1');
    } else if (kind === BUSY) {
      asked.busy = true;
    } else {
      assert([ANSWER_END, FAILED].includes(kind));
      if (kind === FAILED) asked.failed = body.toString('utf8', 4);
      else assert.strictEqual(asked.status, 200);
      this.overs.push(id);
    }
    return asked;
  }

  async until(holds) {
    while (!holds()) await this.frame();
  }

  /** What these calls came to, when all are over. */
  async over(...ids) {
    await this.until(() => ids.every((id) => this.overs.includes(id)));
    return ids.map((id) => this.calls.get(id));
  }

  async bodies(...ids) {
    return (await this.over(...ids)).map(({ body }) => body);
  }
}

test('calls overlap', { skip }, async (t) => {
  const code = `
    const waiting = {};
    const others = { '/a': '/b', '/b': '/a' };
    for (const path in others) { const w = waiting[path] = {}; w.said = new Promise((say) => w.say = say); }
    exports.handle = async ({ path }) => { waiting[others[path]].say(path); return waiting[path].said; };`;
  const sharing = new Sharing(t, code);
  sharing.ask({ 8: { path: '/a' }, 9: { path: '/b' } });
  assert.deepStrictEqual(await sharing.bodies(8, 9), ['/b', '/a']);
  sharing.ask({ 10: { path: '/a' } });
  assert.deepStrictEqual(await sharing.bodies(10), ['/b']);
  assert.deepStrictEqual(await sharing.end(), WELL);
});

test('calls end in any order', { skip }, async (t) => {
  const code = `
    const open = {};
    exports.handle = ({ path, body }) =>
      body.length > 0 ? open[body](path) : new Promise((go) => open[path] = go);`;
  const sharing = new Sharing(t, code);
  sharing.ask({ 8: { path: '8' }, 9: { path: '9' }, 10: { path: '10' } });
  for (const [opened, id] of [[10, 11], [8, 12], [9, 13]]) {
    sharing.ask({ [id]: { path: `by ${id}`, body: String(opened) } });
    assert.deepStrictEqual(await sharing.bodies(opened, id), [`by ${id}`, 'null']);
  }
  assert.deepStrictEqual(sharing.overs.filter((id) => id < 11), [10, 8, 9]);
  assert.deepStrictEqual(await sharing.end(), WELL);
});

test('what is printed is its own call\'s', { skip }, async (t) => {
  const code = `${MEET}
    const { promisify } = require('util');
    const fs = require('fs');
    exports.handle = async ({ path }) => {
      console.log(path, 'begins');
      await meet(3);
      process.stdout.write(path + ' par');
      await meet(3);
      process.stdout.write('tial\\n');
      process.stdout.write(Buffer.from([0xff, 0, path.charCodeAt(0)]));
      await new Promise((go) => setTimeout(() => { console.error(path, 'timer'); go(); }, 1));
      await new Promise((go) => process.nextTick(() => setImmediate(() => { console.info(path, 'turn'); go(); })));
      await new Promise((go) => fs.stat('/', () => { console.warn(path, 'callback'); go(); }));
      await promisify(fs.stat)('/');
      queueMicrotask(() => console.log(path, 'micro'));
      await meet(3);
      await Promise.all([1, 2].map(async (n) => { await null; console.log(path, n); }));
      return (function* () { console.log(path, 'yields'); yield path; process.stdout.write('end of ' + path); })();
    };`;
  const sharing = new Sharing(t, code);
  sharing.ask({ 8: { path: 'a' }, 9: { path: 'b' }, 10: { path: 'c' } });
  for (const [at, asked] of (await sharing.over(8, 9, 10)).entries()) {
    const p = 'abc'[at];
    const lines = [`${p} begins`, `${p} partial`, `\xff\0${p}${p} turn`, `${p} micro`, `${p} 1`, `${p} 2`, `${p} yields`];
    assert.deepStrictEqual([asked.out, asked.body], [`${lines.join('\n')}\nend of ${p}`, p]);
    assert.strictEqual(asked.err, `${p} timer\n${p} callback\n`);
  }
  assert.deepStrictEqual(await sharing.end(), WELL);
});

test('a standard stream takes what it takes elsewhere', { skip }, async (t) => {
  const code = `
    const { stdout, stderr } = process;
    const refused = (...given) => { try { stdout.write(...given); } catch (error) { return error.code; } };
    exports.handle = async () => {
      const said = [stdout.write('61ff', 'hex'), stderr.write(new Uint8Array([66, 67]).subarray(1)), stdout.write('')];
      said.push(refused(5), refused(null), refused('a', 'none'));
      await new Promise((written) => stdout.write('\\xe4', 'latin1', written));
      await new Promise((written) => stdout.write('\\xe4', written));
      await new Promise((written) => stdout.write('', written));
      require('stream').Readable.from(['pi', 'ped']).pipe(stdout);
      return said;
    };`;
  const sharing = new Sharing(t, code);
  sharing.ask({ 8: {} });
  const [{ body, out, err }] = await sharing.over(8);
  const refused = ['ERR_INVALID_ARG_TYPE', 'ERR_STREAM_NULL_VALUES', 'ERR_UNKNOWN_ENCODING'];
  assert.deepStrictEqual(JSON.parse(body), [true, true, true, ...refused]);
  assert.deepStrictEqual([out, err], ['a\xff\xe4\xc3\xa4piped', 'C']);
  assert.deepStrictEqual(await sharing.end(), WELL);
});

test('who has no credit waits, alone', { skip }, async (t) => {
  const code = `
    exports.handle = ({ path }) => {
      console.log(path);
      console.error('e');
      process.stdout.write('x'.repeat(300000));
      console.log('last');
      return 'body';
    };`;
  const sharing = new Sharing(t, code);
  sharing.ask({ 8: { path: 'first', granted: 0 }, 9: { path: 'second' }, 10: { path: 'third', granted: 3 } });
  await sharing.over(9);
  sharing.ask({ 11: { path: 'fourth' } });
  await sharing.over(11);
  const printed = (id) => [sharing.calls.get(id).out, sharing.calls.get(id).err];
  assert.deepStrictEqual([printed(8), printed(10)], [['', ''], ['thi', '']]);
  sharing.grant(8, 5);
  await sharing.until(() => sharing.calls.get(8).credit === 0);
  assert.deepStrictEqual(printed(8), ['first', '']);
  for (const id of [10, 8]) sharing.grant(id, MUCH);
  for (const { out, err, body, busy } of await sharing.over(8, 9, 10, 11)) {
    assert.match(out, /^(first|second|third|fourth)\nx{300000}last\n$/);
    assert.deepStrictEqual([err, body, busy], ['e\n', 'body', false]);
  }
  assert.deepStrictEqual(await sharing.end(), WELL);
});

test('what a call holds unsent is bounded', { skip }, async (t) => {
  const code = `${MEET}
    const { stdout, stderr } = process;
    exports.handle = async ({ path }) => {
      if (path === 'meet') return void await meet(2);
      const said = [];
      for (let i = 0; i < 100; i += 1) {
        console.log('y'.repeat(99999));
        await new Promise(setImmediate);
      }
      stdout.write('z', (error) => said.push(error.message.slice(0, 23)));
      stderr.write('taken\\n');
      await meet(2);
      await new Promise((go) => stdout.once('drain', go));
      console.log('again');
      return said;
    };`;
  const sharing = new Sharing(t, code);
  sharing.ask({ 8: { granted: 0 }, 9: { path: 'meet' } });
  await sharing.over(9);
  sharing.grant(8, MUCH);
  const [{ out, err, body }] = await sharing.over(8);
  assert.strictEqual(out, `${`${'y'.repeat(99999)}\n`.repeat(11)}again\n`);
  assert.match(err, /^runner: this call printed 1 MiB that .*\ntaken\n$/);
  assert.strictEqual(body, '["this call printed 1 MiB"]');
  assert.deepStrictEqual(await sharing.end(), WELL);
});

test('what waits is told in its own call that it was printed', { skip }, async (t) => {
  const code = `${MEET}
    const { stdout } = process;
    let outside = 0;
    stdout.on('drain', () => { outside += 1; console.log('outside'); });
    exports.handle = async ({ path }) => {
      if (path === 'count') return outside;
      if (path === 'meet') return void await meet(3);
      const isFull = !stdout.write(path.repeat(20000), () => process.stdout.write('written'));
      const drained = new Promise((go) => stdout.once('drain', () => { console.log(path, isFull); go(); }));
      await meet(3);
      await drained;
      return stdout.listenerCount('drain');
    };`;
  const sharing = new Sharing(t, code);
  sharing.ask({ 8: { path: 'a', granted: 0 }, 9: { path: 'b', granted: 0 }, 10: { path: 'meet' } });
  await sharing.over(10);
  for (const [id, path, left] of [[9, 'b', '2'], [8, 'a', '1']]) {
    sharing.grant(id, MUCH);
    const [{ out, body }] = await sharing.over(id);
    assert.deepStrictEqual([out, body], [`${path.repeat(20000)}${path} true\nwritten`, left]);
  }
  sharing.ask({ 11: { path: 'count' } });
  assert.deepStrictEqual(await sharing.bodies(11), ['2']);
  assert.deepStrictEqual(await sharing.end(), { ...WELL, out: 'outside\noutside\n' });
});

test('answers and what is printed share the credit', { skip }, async (t) => {
  const code = `exports.handle = function* () {
    for (let i = 0; i < 4; i += 1) { console.log('p'.repeat(999)); yield 'b'.repeat(1000); }
  }`;
  const sharing = new Sharing(t, code);
  sharing.ask({ 8: { granted: 0 } });
  for (let granted = 0; granted < 8000; granted += 100) {
    sharing.grant(8, 100);
    await sharing.until(() => sharing.calls.get(8).credit === 0);
  }
  const [{ out, body }] = await sharing.over(8);
  assert.deepStrictEqual([out, body], [`${'p'.repeat(999)}\n`.repeat(4), 'b'.repeat(4000)]);
});

test('what took the credit does not wait for what is printed', { skip }, async (t) => {
  const code = "exports.handle = () => { process.nextTick(() => console.log('last')); return 'b'.repeat(1000); }";
  const sharing = new Sharing(t, code);
  sharing.ask({ 8: { granted: 1000 } });
  await sharing.until(() => sharing.calls.get(8).body.length === 1000);
  sharing.grant(8, 5);
  const [{ out }] = await sharing.over(8);
  assert.strictEqual(out, 'last\n');
});

test('requests come between each other', { skip }, async (t) => {
  const sharing = new Sharing(t, 'exports.handle = (request) => [request.path, request.getText()]');
  const split = (id, options) => {
    const bytes = request(id, { piece: 3, ...options });
    const frames = [];
    for (let at = 0; at < bytes.length; at += frames.at(-1).length) {
      frames.push(bytes.subarray(at, at + 16 + bytes.readUInt32LE(at)));
    }
    return frames;
  };
  const bodies = ['abcdefgh', 'ABCDEFGHIJKL'];
  const [first, second] = bodies.map((body, at) => split(8 + at, { path: String(at), body }));
  for (const id of [8, 9]) sharing.begin(id);
  while (second.length > 0) {
    sharing.write(...first.splice(0, 1), ...second.splice(0, 1));
    for (const id of [8, 9]) sharing.grant(id, 10);
  }
  assert.deepStrictEqual((await sharing.bodies(8, 9)).map((text) => JSON.parse(text)), [['0', bodies[0]], ['1', bodies[1]]]);
  assert.deepStrictEqual(await sharing.end(), WELL);
});

test('what one call throws is said in it', { skip }, async (t) => {
  const code = `${MEET}
    exports.handle = async ({ path }) => { await meet(2); if (path === 'bad') throw new RangeError('mine'); return path; }`;
  const sharing = new Sharing(t, code);
  sharing.ask({ 8: { path: 'bad', granted: 0 }, 9: { path: 'good' } });
  const [good] = await sharing.over(9);
  sharing.grant(8, MUCH);
  const [bad] = await sharing.over(8);
  assert.deepStrictEqual([good.out, good.err, good.body, good.failed], ['', '', 'good', undefined]);
  assert.deepStrictEqual([bad.out, bad.body, bad.failed], ['', '', 'RangeError: mine']);
  assert.match(bad.err, /^RangeError: mine\n +at .*\/code\/main\.js:7:/);
  assert.doesNotMatch(bad.err, /opt\/faas/);
  assert.deepStrictEqual(await sharing.end(), WELL);
});

test('the last one under way says what is left in the loop', { skip }, async (t) => {
  const code = `${MEET}
    const timers = [];
    const open = {};
    setInterval(() => {}, 1e6);
    const ways = {
      leave: () => void timers.push(setInterval(() => {}, 1e6)),
      clear: () => clearInterval(timers.pop()),
      nothing: () => {},
      wait: () => new Promise((go) => open.wait = go),
      go: () => open.wait(),
      leaveTogether: async () => { ways.leave(); await meet(2); },
      together: () => meet(2),
    };
    exports.handle = ({ path }) => ways[path]();`;
  const sharing = new Sharing(t, code);
  let id = 7;
  const ask = (...paths) => paths.map((path) => (sharing.ask({ [id += 1]: { path } }), id));
  const busy = async (...ids) => (await sharing.over(...ids)).map((asked) => asked.busy);
  const alone = async (path) => (await busy(...ask(path)))[0];
  assert.strictEqual(await alone('leave'), true);
  assert.strictEqual(await alone('clear'), false);
  // Left while another one runs, which is the last.
  let [waiting] = ask('wait');
  assert.deepStrictEqual([await alone('leave'), await alone('nothing'), await alone('go')], [false, false, false]);
  assert.deepStrictEqual(await busy(waiting), [true]);
  // What was there when nothing ran is not said again.
  assert.strictEqual(await alone('nothing'), false);
  // Cleared by another before the end.
  [waiting] = ask('wait');
  assert.deepStrictEqual([await alone('leave'), await alone('clear'), await alone('go')], [false, false, false]);
  assert.deepStrictEqual(await busy(waiting), [false]);
  // Of two that end at the same time one is the last.
  for (let round = 0; round < 5; round += 1) {
    const ids = ask('leaveTogether', 'together');
    const [last] = (await busy(...ids), sharing.overs.slice(-1));
    assert.deepStrictEqual(await busy(...ids), ids.map((each) => each === last));
  }
});

test('pieces come at once', { skip }, async (t) => {
  const code = `
    const open = [];
    exports.handle = async function (request) {
      if (request.path === 'go') return open.shift()();
      return (async function* () {
        for (const n of [1, 2]) { console.log('before', n); yield 'piece' + n; await new Promise((go) => open.push(go)); }
      })();
    }`;
  const sharing = new Sharing(t, code);
  sharing.ask({ 8: { path: 'stream' } });
  for (const [body, out, id] of [['piece1', 'before 1\n', 9], ['piece1piece2', 'before 1\nbefore 2\n', 10]]) {
    await sharing.until(() => sharing.calls.get(8).body === body);
    assert.strictEqual(sharing.calls.get(8).out, out);
    sharing.ask({ [id]: { path: 'go' } });
    await sharing.over(id);
  }
  await sharing.over(8);
});

test('what is printed outside of a call goes to the descriptors', { skip }, async (t) => {
  const code = `
    console.log('loading');
    process.stdin.on('data', (text) => { process.stdout.write('outside ' + text); process.stdin.destroy(); });
    let open;
    exports.handle = ({ path }) => { console.log(path); return path === 'go' ? open() : new Promise((go) => open = go); }`;
  const sharing = new Sharing(t, code);
  sharing.ask({ 8: { path: 'wait' } });
  await sharing.until(() => sharing.calls.get(8).out === 'wait\n');
  sharing.running.child.stdin.write('a\n');
  while (!sharing.running.out.includes('outside')) await once(sharing.running.child.stdout, 'data');
  sharing.ask({ 9: { path: 'go' } });
  assert.deepStrictEqual((await sharing.over(8, 9)).map(({ out }) => out), ['wait\n', 'go\n']);
  assert.deepStrictEqual(await sharing.end(), { ...WELL, out: 'loading\noutside a\n' });
});

test('what a call prints that is over is nobody\'s', { skip }, async (t) => {
  const code = `
    let open;
    const gate = new Promise((go) => open = go);
    let late = false;
    const print = async () => {
      await gate;
      console.log('late');
      process.stderr.write('late', () => late = true);
    };
    exports.handle = async ({ path }) => {
      if (path === 'leave') return void print();
      open();
      while (!late) await new Promise(setImmediate);
      console.log('own');
      return late;
    };`;
  const sharing = new Sharing(t, code);
  sharing.ask({ 8: { path: 'leave' } });
  await sharing.over(8);
  sharing.ask({ 9: { path: 'go' } });
  const [{ out, err, body }] = await sharing.over(9);
  assert.deepStrictEqual([out, err, body], ['own\n', '', 'true']);
  assert.deepStrictEqual(await sharing.end(), { code: 0, out: 'late\n', err: 'late' });
});

test('many answers wait for a host that reads slowly', { skip }, async (t) => {
  const code = `
    let calls = 0;
    exports.handle = () => {
      calls += 1;
      if (calls === 12) setImmediate(() => setImmediate(() => require('fs').writeSync(1, 'all wait')));
      return 'x'.repeat(400000);
    };`;
  const sharing = new Sharing(t, code, '12');
  const { child, socket } = sharing.running;
  if (t.waits) await once(socket, 'data');
  socket.pause();
  const ids = Array.from({ length: 12 }, (_, at) => 8 + at);
  for (const id of ids) sharing.ask({ [id]: {} });
  await once(child.stdout, 'data');
  socket.resume();
  for (const { body, err } of await sharing.over(...ids)) assert.deepStrictEqual([body.length, err], [400_000, '']);
  assert.deepStrictEqual(await sharing.end(), { ...WELL, out: 'all wait' });
});

test('the threads are there when the program is loaded', { skip }, async (t) => {
  const code = `const fs = require('fs');
    const threads = () => String(fs.readdirSync('/proc/self/task').length);
    exports.handle = async ({ path }) => {
      if (path === 'work') { console.log('x'); console.error('y'); await fs.promises.readFile('/proc/version'); }
      return threads();
    }`;
  const sharing = new Sharing(t, code);
  sharing.ask({ 8: {} });
  const before = await sharing.bodies(8);
  sharing.ask({ 9: { path: 'work' }, 10: { path: 'work' } });
  assert.deepStrictEqual(await sharing.bodies(9, 10), [...before, ...before]);
});

test('nothing of the runner is in the program', { skip }, async (t) => {
  const code = `exports.handle = () => [Object.keys(require.cache), module.children.length,
    new Error().stack.split('\\n').filter((l) => !/node:internal/.test(l)).length]`;
  const sharing = new Sharing(t, code);
  sharing.ask({ 8: {} });
  assert.deepStrictEqual(await sharing.bodies(8), ['[[],0,2]']);
});

test('a program ends as ever', { skip }, async (t) => {
  for (const [code, exit, err] of [
    ["console.log('printed'); process.exit(4)", 4, /^$/],
    ["console.log('printed'); setImmediate(() => { throw new Error('late') }); return new Promise(() => {})", 1, /Error: late/],
  ]) {
    const sharing = new Sharing(t, `exports.handle = () => { ${code} }`);
    sharing.ask({ 8: {}, 9: { granted: 0 } });
    await sharing.until(() => sharing.calls.get(8).out === 'printed\n');
    const ended = await finish(sharing.running);
    assert.deepStrictEqual([ended.code, ended.out], [exit, '']);
    assert.match(ended.err, err);
  }
});

test('a host that goes gets what needs nothing more of it', { skip }, async (t) => {
  const code = `
    exports.handle = async ({ path }) => {
      if (path === 'print') { console.log(path); return path; }
      if (path === 'answer') return path;
      await require('events').once(process.stdin, 'data');
      process.stdin.destroy();
      console.log(path);
      return path;
    };`;
  // Those without credit, and the one whose request is not whole, are never over.
  for (const [others, exit] of [[[], 0], [['print'], 1], [['answer'], 1], [['part'], 1]]) {
    const sharing = new Sharing(t, code);
    sharing.ask({ 8: { path: 'wait' } });
    for (const path of others) {
      if (path === 'part') sharing.write(request(9, { path: 'answer' }).subarray(0, -16));
      else sharing.ask({ 9: { path, granted: 0 } });
    }
    sharing.running.socket.end();
    sharing.running.child.stdin.write('\n');
    const [{ out, body }] = await sharing.over(8);
    assert.deepStrictEqual([out, body], ['wait\n', 'wait']);
    const ended = await finish(sharing.running);
    assert.deepStrictEqual([ended.code, ended.out], [exit, '']);
    assert.match(ended.err, exit === 0 ? /^$/ : /^runner: the host closed the call socket\n$/);
  }
});

test('a host that breaks the protocol ends it', { skip }, async (t) => {
  const begin = program('exports.handle = () => new Promise(() => {})', '2');
  const open = (id) => request(id, { body: 'abc' }).subarray(0, -16);
  for (const [frames, reason] of [
    [[program('', '1')], /^runner: 1 calls at once were asked for; from 2 to 100 are possible\n$/],
    [[program('', '101')], /101 calls at once/],
    [[program('', '0x2')], /0x2 calls at once/],
    [[begin, open(8), open(9), open(10)], /type 0x34 for call 10, 2 under way, where no request is due/],
    [[begin, open(9), open(8)], /type 0x34 for call 8, 1 under way, where no request is due/],
    [[begin, open(8), frame(REQUEST, undefined, 0, 8)], /type 0x34 for call 8, 1 under way, inside its request/],
    [[begin, request(8), frame(BODY, Buffer.from('a'), 0, 8)], /type 0x31 for call 8, 1 under way, inside its answer/],
    [[begin, open(8), frame(END, undefined, 0, 9)], /type 0x32 for call 9, 1 under way, where no request is due/],
    [[begin, request(8, { body: 'abc', announced: 4 })], /a body of 3 bytes came, 4 were announced/],
    [[begin, request(8).subarray(0, 20)], /the host closed the call socket/],
  ]) {
    const running = start(t, Buffer.concat(frames));
    running.socket.end();
    const { code, out, err } = await finish(running);
    assert.deepStrictEqual([code, out], [1, '']);
    assert.match(err, /^runner: .*\n$/);
    assert.match(err, reason);
  }
});
