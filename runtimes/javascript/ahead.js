// What a runner that waits has done before its call comes, so that the call need not wait for it.
//
// runner.js loads this file where nobody has called yet. Node loads its own modules when they are first used, and
// compiles its functions, and ours, when they are first called: here they are, on things of nobody's. A program must
// find what it would find where nothing was done ahead: so no stream of the process is made, nothing that acts is
// loaded (`domain`), nothing that starts threads is called, and what is opened is closed before the call is read.

'use strict';

const fs = require('fs');
const net = require('net');
const { Console } = require('console');
const { setImmediate } = require('timers/promises');

// What programs load most often, the most frequent first. Left out is what makes a standard stream (`assert`), looks at
// the sandbox (`dns`), or takes long and needs a network that few programs have (`fetch`).
const MODULES = `
path util events os url crypto stream/promises string_decoder fs/promises child_process timers querystring
async_hooks http https zlib readline perf_hooks worker_threads
`;
// A runner that waits is ready after this long at the latest, whatever its processor share.
const LONGEST = 500;
const PROGRAM = `
const { join } = require('path');
exports.join = (...parts) => join(__dirname, __filename, ...parts);
exports.join('a', 'b');
`;

exports.load = async function load({ goesOn, pipeOn, answering, Fields, run }) {
  const until = performance.now() + LONGEST;
  const steps = [
    () => rehearse(run),
    () => withSink(pipeOn, print),
    () => withSink(pipeOn, (socket) => answering.rehearse(socket, Fields)),
    () => import('data:text/javascript,'),
    ...MODULES.trim().split(/\s+/).map((name) => () => require(name)),
  ];
  for (const step of steps) {
    if (performance.now() >= until || !goesOn()) break;
    try {
      await step();
    } catch {
      // It is done when it is needed, if it can be.
    }
  }
  // What was closed is gone then.
  await setImmediate();
  await setImmediate();
};

/** A program that shows nothing, run as one is. */
async function rehearse(run) {
  const { argv } = process;
  run({ name: 'main.js', args: [], code: Buffer.from(PROGRAM) });
  await setImmediate();
  process.argv = argv;
  process.mainModule = undefined;
}

/** A socket as Node has it for a standard stream, which leads nowhere. */
async function withSink(pipeOn, use) {
  const handle = pipeOn(fs.openSync('/dev/null', 'w'));
  const socket = new net.Socket({ handle, readable: false, writable: true });
  try {
    await use(socket);
  } finally {
    // What closes the socket itself asks for the process's standard error.
    handle.close();
  }
}

function print(socket) {
  // By itself it would ask standard error for its colours.
  const shown = new Console({ stdout: socket, stderr: socket, colorMode: false });
  shown.log('%s is %d', 'one', 1, { list: [1, 'two'], map: new Map([[1, null]]) }, undefined);
  shown.error('text');
}
