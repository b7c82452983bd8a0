//! Row 56: what a handler leaves running when it has answered, in mode `cached`, is never heard in the next call.

use crate::handlers::Told;
use crate::site::on_server;
use anyhow::{Result, ensure};

/// Each leaves something that says `late` for as long as it goes on, and answers.
async fn leaves(told: &Told<'_>, deed: &str, answered: &str) -> Result<()> {
    let left = told.does(&format!("{deed}\n{answered}")).await?;
    ensure!(left["status"] == "succeeded", "{deed}: {left}");
    told.hears_nothing_after(deed).await
}

async fn python_leaves(told: &Told<'_>, deed: &str) -> Result<()> {
    leaves(told, deed, "result = 'left'").await
}

async fn javascript_leaves(told: &Told<'_>, deed: &str) -> Result<()> {
    leaves(told, deed, "return 'left'").await
}

#[test]
fn row_56_a_handler_that_leaves_a_thread_running() -> Result<()> {
    on_server(|site| async move {
        let python = Told::python(&site).await?;
        let talk = "import threading, time\ndef talk():\n    while True:\n        print('late', flush=True); time.sleep(0.001)\n";
        for deed in [
            "threading.Thread(target=talk, daemon=True).start()",
            "threading.Thread(target=talk).start()",
            "import _thread; _thread.start_new_thread(talk, ())",
            "from concurrent.futures import ThreadPoolExecutor; ThreadPoolExecutor(2).submit(talk)",
            "import asyncio; asyncio.new_event_loop().run_in_executor(None, talk)",
            "import faulthandler; faulthandler.dump_traceback_later(0.02, repeat=True)",
        ] {
            python_leaves(&python, &format!("{talk}{deed}")).await?;
        }
        let javascript = Told::javascript(&site).await?;
        let talk = "const { Worker } = require('worker_threads'); const talk = `setInterval(() => require('fs').writeSync(1, 'late'), 1)`;";
        for deed in ["new Worker(talk, {eval: true})", "new Worker(talk, {eval: true}).unref()"] {
            javascript_leaves(&javascript, &format!("{talk}{deed};")).await?;
        }
        Ok(())
    })
}

#[test]
fn row_56_a_handler_that_leaves_a_timer_running() -> Result<()> {
    on_server(|site| async move {
        let python = Told::python(&site).await?;
        let talk = "def talk(*given): print('late', flush=True)\n";
        for deed in [
            "import threading; threading.Timer(0.02, talk).start()",
            "import signal; signal.signal(signal.SIGALRM, talk); signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)",
            "import signal; signal.signal(signal.SIGALRM, signal.SIG_DFL); signal.setitimer(signal.ITIMER_REAL, 0.05)",
            "import signal; signal.signal(signal.SIGALRM, talk); signal.alarm(1)",
        ] {
            python_leaves(&python, &format!("{talk}{deed}")).await?;
        }
        let javascript = Told::javascript(&site).await?;
        let talk = "const talk = () => console.log('late');";
        for deed in [
            "setInterval(talk, 1)",
            "setTimeout(talk, 20)",
            "const again = () => { talk(); setImmediate(again); }; setImmediate(again)",
            "setInterval(talk, 1).unref()",
            "setTimeout(talk, 20).unref()",
            "const again = () => { talk(); setImmediate(again).unref(); }; setImmediate(again).unref()",
            "AbortSignal.timeout(20).addEventListener('abort', talk)",
        ] {
            javascript_leaves(&javascript, &format!("{talk}{deed};")).await?;
        }
        Ok(())
    })
}

#[test]
fn row_56_a_handler_that_leaves_a_child_process_running() -> Result<()> {
    on_server(|site| async move {
        let python = Told::python(&site).await?;
        let talk = "talk = ['/bin/sh', '-c', 'trap \"\" HUP TERM; while :; do echo late; done']\n";
        for deed in [
            "import subprocess; subprocess.Popen(talk)",
            "import subprocess; subprocess.Popen(talk, start_new_session=True, stderr=1)",
            "import multiprocessing; multiprocessing.get_context('fork').Process(target=print, args=['late'] * 9).start()",
            "import os\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: os.execv(talk[0], talk)\n    os._exit(0)\nos.wait()",
            "import os\nif os.fork() == 0:\n    while True: os.write(2, b'late')",
        ] {
            python_leaves(&python, &format!("{talk}{deed}")).await?;
        }
        let javascript = Told::javascript(&site).await?;
        let talk = "const talk = ['-c', 'trap \"\" HUP TERM; while :; do echo late; done'];";
        for deed in [
            "require('child_process').spawn('/bin/sh', talk, {stdio: 'inherit'})",
            "require('child_process').spawn('/bin/sh', talk, {stdio: 'inherit', detached: true}).unref()",
            "require('child_process').spawn('/bin/sh', talk).stdout.on('data', () => console.log('late'))",
        ] {
            javascript_leaves(&javascript, &format!("{talk}{deed};")).await?;
        }
        Ok(())
    })
}

#[test]
fn row_56_a_handler_that_leaves_files() -> Result<()> {
    on_server(|site| async move {
        let python = Told::python(&site).await?;
        let areas = "import os\nareas = ['/workspace', '/tmp', '/code', '/dev/shm']\n";
        let leaves = "for area in areas: open(area + '/left', 'w').write('left')";
        let looks = "result = [area for area in areas if os.path.exists(area + '/left')]";
        for _ in 0..3 {
            python_leaves(&python, &format!("{areas}{leaves}")).await?;
            let looked = python.does(&format!("{areas}{looks}")).await?;
            ensure!(looked["result"] == serde_json::json!([]), "{looked}");
        }
        Ok(())
    })
}

#[test]
fn row_56_a_handler_that_leaves_a_task_in_its_event_loop() -> Result<()> {
    on_server(|site| async move {
        let code = "
import asyncio, threading
async def talk():
    while True:
        print('late', flush=True)
        await asyncio.sleep(0.001)
def late(): print('late', flush=True)
async def handle(request):
    what = request.get_text()
    loop = asyncio.get_running_loop()
    if what == 'task': asyncio.create_task(talk())
    if what == 'soon': loop.call_soon(late)
    if what == 'later': loop.call_later(0.02, late)
    if what == 'thread': loop.run_in_executor(None, lambda: threading.Event().wait(0.02) or late())
    await asyncio.sleep(0.1 if what == 'calm' else 0)
    return what
";
        site.deploy(&serde_json::json!({"name": "loop", "code": code})).await?;
        for deed in ["task", "soon", "later", "thread"] {
            let left = site.invoke("loop", deed).await?;
            ensure!(left["result"] == deed, "{left}");
            for _ in 0..2 {
                let next = site.invoke("loop", "calm").await?;
                ensure!(next["result"] == "calm" && next["stdout"] == "", "after {deed}: {next}");
            }
        }
        Ok(())
    })
}
