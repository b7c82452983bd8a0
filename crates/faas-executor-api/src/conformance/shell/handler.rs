//! The handlers, in each language that has them.

use crate::conformance::{HandlerTask, TOGETHER_FLOOD};

const PYTHON_OBEYS: &str = r"
import os, signal, threading, time
calls = 0
def late():
    while True:
        print('late', flush=True)
        time.sleep(0.001)
def leave_a_process():
    if os.fork() == 0:
        if os.fork() == 0:
            os.setsid()
            while True:
                signal.pause()
        os._exit(0)
    os.wait()
def handle(request):
    global calls
    calls += 1
    print('call', calls)
    word, answer = request.get_text(), str(calls)
    if word == 'note':
        try:
            answer = open('note').read()
        except FileNotFoundError:
            answer = 'absent'
        open('note', 'w').write('of a call')
    elif word == 'thread':
        threading.Thread(target=late, daemon=True).start()
    elif word == 'process':
        leave_a_process()
    elif word == 'processes':
        answer = str(sum(name.isdigit() for name in os.listdir('/proc')))
    elif word == 'die':
        signal.setitimer(signal.ITIMER_REAL, 0.3)
    elif word == 'sleep':
        print('ready', flush=True)
        while True:
            signal.pause()
    elif word == 'exit':
        os._exit(3)
    elif word == 'raise':
        raise ValueError('mine')
    return answer
";

const JAVASCRIPT_OBEYS: &str = r"
const fs = require('fs');
const { spawn } = require('child_process');
let calls = 0;
const words = {
  note: () => {
    const found = fs.existsSync('note') ? fs.readFileSync('note', 'utf8') : 'absent';
    fs.writeFileSync('note', 'of a call');
    return found;
  },
  thread: () => void setInterval(() => console.log('late'), 1),
  process: () => spawn('/usr/bin/sleep', ['infinity'], { detached: true, stdio: 'ignore' }).unref(),
  processes: () => String(fs.readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name)).length),
  die: () => void setTimeout(() => process.exit(3), 300),
  sleep: () => {
    console.log('ready');
    return new Promise(() => setInterval(() => {}, 1e6));
  },
  exit: () => process.exit(3),
  raise: () => {
    throw new Error('mine');
  },
};
exports.handle = (request) => {
  calls += 1;
  console.log('call', calls);
  return words[request.getText()]?.() ?? String(calls);
};
";

const PYTHON_TOGETHER: &str = r"
import os, threading, time
changed = threading.Condition()
calls = arrived = 0
def meet(size, name):
    global arrived
    print(name)
    with changed:
        arrived += 1
        whole = -(-arrived // size) * size
        changed.notify_all()
        changed.wait_for(lambda: arrived >= whole)
    print(name)
    return name
def chatter():
    while True:
        print('late')
        time.sleep(0.001)
def handle(request):
    global calls
    with changed:
        calls += 1
        answer = str(calls)
    word, *rest = request.get_text().split()
    if word == 'meet':
        answer = meet(int(rest[0]), rest[1])
    elif word == 'wait':
        print('ready')
        threading.Event().wait()
    elif word == 'chatter':
        chatter()
    elif word == 'flood':
        answer = (bytes(range(251)) * (FLOOD // 251 + 1))[:FLOOD]
    elif word == 'raise':
        raise ValueError('mine')
    elif word == 'exit':
        os._exit(3)
    return answer
";

const JAVASCRIPT_TOGETHER: &str = r"
let calls = 0;
let arrived = 0;
const waiting = [];
const words = {
  meet: async (size, name) => {
    console.log(name);
    arrived += 1;
    if (arrived % Number(size) === 0) waiting.splice(0).forEach((goOn) => goOn());
    else await new Promise((goOn) => waiting.push(goOn));
    console.log(name);
    return name;
  },
  wait: () => {
    console.log('ready');
    return new Promise(() => {});
  },
  chatter: async () => {
    for (;;) {
      console.log('late');
      await new Promise((goOn) => setTimeout(goOn, 1));
    }
  },
  flood: () => new Response(Buffer.alloc(FLOOD, Buffer.from(Array.from({ length: 251 }, (_, n) => n)))),
  raise: () => {
    throw new Error('mine');
  },
  exit: () => process.exit(3),
};
exports.handle = async (request) => {
  calls += 1;
  const count = String(calls);
  const [word, ...rest] = request.getText().split(' ');
  return (await words[word]?.(...rest)) ?? count;
};
";

pub(super) fn python(task: HandlerTask) -> String {
    match task {
        HandlerTask::Echo => "def handle(request):\n    print('asked')\n    asked = f\"{request.method} {request.path}?{request.query_string} {request.get_header('X-Name')}\"\n    return request.body, 201, {'x-asked': asked}\n".to_owned(),
        HandlerTask::Flood { bytes } => format!(
            "def handle(request):\n    left, pattern = {bytes}, bytes(range(251)) * 1024\n    while left > 0:\n        yield pattern[:left]\n        left -= len(pattern)\n"
        ),
        HandlerTask::Raise => "def handle(request):\n    raise ValueError('mine')\n".to_owned(),
        HandlerTask::Exit { code } => format!("import os\ndef handle(request):\n    os._exit({code})\n"),
        HandlerTask::Obey => PYTHON_OBEYS.to_owned(),
        HandlerTask::Together => PYTHON_TOGETHER.replace("FLOOD", &TOGETHER_FLOOD.to_string()),
    }
}

pub(super) fn javascript(task: HandlerTask) -> String {
    match task {
        HandlerTask::Echo => "exports.handle = async (request) => {\n  console.log('asked');\n  const asked = `${request.method} ${request.path}?${request.queryString} ${request.getHeader('X-Name')}`;\n  return new Response(request.body, { status: 201, headers: { 'x-asked': asked } });\n};\n".to_owned(),
        HandlerTask::Flood { bytes } => format!(
            "exports.handle = async function* () {{\n  const pattern = Buffer.alloc(251 * 1024, Buffer.from(Array.from({{ length: 251 }}, (_, n) => n)));\n  for (let left = {bytes}; left > 0; left -= pattern.length) yield pattern.subarray(0, left);\n}};\n"
        ),
        HandlerTask::Raise => "exports.handle = async () => { throw new Error('mine'); };\n".to_owned(),
        HandlerTask::Exit { code } => format!("exports.handle = () => process.exit({code});\n"),
        HandlerTask::Obey => JAVASCRIPT_OBEYS.to_owned(),
        HandlerTask::Together => JAVASCRIPT_TOGETHER.replace("FLOOD", &TOGETHER_FLOOD.to_string()),
    }
}
