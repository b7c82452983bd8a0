// The same for JavaScript; see the Python program of this row.
const crypto = require('crypto');
const fs = require('fs');
const path = require('path');

const say = (...words) => fs.writeSync(1, words.join(' ') + '\n');
// A class of one letter, so that the pattern does not find itself.
const pattern = /faas-lef[t]-[0-9a-f]{16}/g;
const AREAS = ['/workspace', '/tmp', '/dev/shm', '/code', '/var/tmp', '/run'];

/** Every piece of this process's memory that is not as it is in a file. */
function* memory() {
  const whole = fs.openSync('/proc/self/mem', 'r');
  const buffer = Buffer.alloc((1 << 20) + 64);
  for (const line of fs.readFileSync('/proc/self/maps', 'latin1').split('\n')) {
    const [, from, to, rights] = /^([0-9a-f]+)-([0-9a-f]+) (\S+)/.exec(line) || [];
    const isOfFile = line.includes('/') && !line.includes(' rw');
    if (!rights || rights[0] !== 'r' || isOfFile || /\[v(var|var_vclock|syscall)\]$/.test(line)) continue;
    const end = BigInt(`0x${to}`);
    for (let at = BigInt(`0x${from}`); at < end; at += 1n << 20n) {
      const rest = end - at;
      try {
        // The next piece begins before this one ends: nothing is cut in two.
        const length = rest < BigInt(buffer.length) ? Number(rest) : buffer.length;
        yield buffer.subarray(0, fs.readSync(whole, buffer, 0, length, at));
      } catch {
        // A mapping that cannot be read, or is gone by now.
      }
    }
  }
  fs.closeSync(whole);
}

/** Names and contents of all files where a program may write, but this one's. */
function* files() {
  for (const area of AREAS.filter((each) => fs.existsSync(each))) {
    for (const name of fs.readdirSync(area)) {
      const file = path.join(area, name);
      yield Buffer.from(file);
      if (file !== __filename && fs.statSync(file).isFile()) yield fs.readFileSync(file);
    }
  }
  for (const file of ['environ', 'cmdline', 'auxv']) yield fs.readFileSync(`/proc/self/${file}`);
}

/** What a piece of memory or of a file holds. */
const hits = (piece) => [...piece.toString('latin1').matchAll(pattern)].map(([hit]) => hit);

const left = new Set();
let searched = 0;
for (const [place, pieces] of [['memory', memory()], ['files', files()]]) {
  for (const piece of pieces) {
    searched += piece.length;
    for (const hit of hits(piece)) left.add(`${place}:${hit}`);
  }
}
say('fact left', [...left].sort().join(',') || 'none');
say('fact searched', searched);

say('fact number_math', Math.random());
say('fact number_bytes', crypto.randomBytes(8).toString('hex'));
say('fact number_uuid', crypto.randomUUID());
say('fact number_int', crypto.randomInt(2 ** 47));
say('fact number_values', Buffer.from(globalThis.crypto.getRandomValues(new Uint8Array(8))).toString('hex'));
say('fact number_directory', fs.mkdtempSync('/tmp/'));
say('fact number_key', crypto.generateKeySync('hmac', { length: 64 }).export().toString('hex'));
say('fact number_hash', crypto.createHash('sha256').update(`${Math.random()}`).digest('hex'));

const secret = `faas-left-${crypto.randomBytes(8).toString('hex')}`;
process.env.LEFT = secret;
globalThis.kept = Array.from({ length: 4096 }, () => Buffer.from(secret.repeat(64)));
for (const area of AREAS) {
  try {
    fs.writeFileSync(path.join(area, secret), secret);
  } catch {
    // Not there, or not writable.
  }
}
// What is there is found.
const has = (pieces) => {
  for (const piece of pieces) if (hits(piece).includes(secret)) return true;
  return false;
};
const own = [['memory', memory()], ['files', files()]].filter(([, pieces]) => has(pieces));
say('fact found_own', own.map(([place]) => place).join(','));
say('done');
