//! The CGI programs of [`super::ShellGuest`].

use super::CgiTask;
use crate::Program;
use bytes::Bytes;
use faas_types::Language;

pub(super) fn program(language: Language, task: CgiTask) -> Option<Program> {
    let (name, code) = match language {
        Language::Python => ("main.py", python(task)),
        Language::Bash => ("main.sh", bash(task)?),
        Language::Php => ("main.php", php(task)?),
        // Nothing of the contract depends on which interpreter it is.
        Language::JavaScript => return None,
    };
    Some(Program { code: Bytes::from(code), name: name.to_owned() })
}

fn python(task: CgiTask) -> String {
    match task {
        CgiTask::Echo => r#"import os, sys
print("asked", file=sys.stderr, flush=True)
seen = os.environ
sys.stdout.write("Status: 201 Created\r\n")
sys.stdout.write("X-Asked: {REQUEST_METHOD} {PATH_INFO}?{QUERY_STRING} {HTTP_X_NAME}\r\n\r\n".format_map(seen))
sys.stdout.flush()
sys.stdout.buffer.write(sys.stdin.buffer.read(int(seen.get("CONTENT_LENGTH", 0))))
"#
        .to_owned(),
        CgiTask::Flood { bytes } => format!(
            "import sys\nout, left, pattern = sys.stdout.buffer, {bytes}, bytes(range(251)) * 1024\nout.write(b'Content-Type: text/plain\\n\\n')\nwhile left > 0:\n    left -= out.write(pattern[:left])\n"
        ),
        CgiTask::Start => "import signal\nprint('Content-Type: text/plain\\n\\nready', flush=True)\nwhile True:\n    \
                           signal.pause()\n"
            .to_owned(),
        CgiTask::Fail => "raise ValueError('mine')\n".to_owned(),
        CgiTask::Malformed => "while True:\n    print('nothing of this is a header')\n".to_owned(),
        CgiTask::Executable => {
            "#!/usr/bin/bash\nprintf 'Content-Type: text/plain\\n\\n'; [[ -n $BASH_VERSION ]] && echo ran\n".to_owned()
        }
    }
}

fn bash(task: CgiTask) -> Option<String> {
    let code = match task {
        CgiTask::Echo => r#"echo asked >&2
printf 'Status: 201\nX-Asked: %s %s?%s %s\n\n' "$REQUEST_METHOD" "$PATH_INFO" "$QUERY_STRING" "$HTTP_X_NAME"
exec /usr/bin/cat
"#
        .to_owned(),
        CgiTask::Start => "printf 'Content-Type: text/plain\\n\\nready\\n'\nexec /usr/bin/sleep infinity\n".to_owned(),
        CgiTask::Fail => "echo mine >&2\nexit 3\n".to_owned(),
        CgiTask::Malformed => "exec /usr/bin/yes\n".to_owned(),
        CgiTask::Flood { .. } | CgiTask::Executable => return None,
    };
    Some(code)
}

fn php(task: CgiTask) -> Option<String> {
    let code = match task {
        CgiTask::Echo => r#"<?php
error_log('asked');
http_response_code(201);
header(sprintf('X-Asked: %s %s?%s %s', $_SERVER['REQUEST_METHOD'], $_SERVER['PATH_INFO'], $_SERVER['QUERY_STRING'], getallheaders()['X-Name']));
echo file_get_contents('php://input');
"#
        .to_owned(),
        CgiTask::Flood { bytes } => format!(
            "<?php\n$pattern = str_repeat(implode(array_map('chr', range(0, 250))), 1024);\nfor ($left = {bytes}; $left > 0; $left -= strlen($pattern)) echo substr($pattern, 0, $left);\n"
        ),
        CgiTask::Start => "<?php\necho \"ready\\n\";\nob_flush();\nflush();\nwhile (true) sleep(1000);\n".to_owned(),
        CgiTask::Fail => "<?php\nthrow new Exception('mine');\n".to_owned(),
        // PHP says its header itself, and needs no first line.
        CgiTask::Malformed | CgiTask::Executable => return None,
    };
    Some(code)
}
