//! Which language a program is in: as asked, else by its extension, else by its first line, else
//! the default where there is one.

use crate::diagnostic::CliError;
use faas_types::{ErrorCode, Language};
use std::path::Path;

/// Where a program came from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source<'a> {
    /// A file and its content.
    File(&'a Path, &'a [u8]),
    /// Content without a name.
    Unnamed(&'a [u8]),
}

/// Decides; `default` is for programs that need not say.
pub(crate) fn choose(
    asked: Option<Language>,
    source: Source<'_>,
    default: Option<Language>,
) -> Result<Language, CliError> {
    let (extension, content) = match source {
        Source::File(path, content) => (path.extension().and_then(|extension| extension.to_str()), content),
        Source::Unnamed(content) => (None, content),
    };
    asked
        .or_else(|| extension.and_then(Language::from_extension))
        .or_else(|| from_first_line(content))
        .or(default)
        .ok_or_else(|| unknown(source, extension))
}

/// The language of `#!/usr/bin/env -S python3.11 -I` and its like.
fn from_first_line(content: &[u8]) -> Option<Language> {
    let line = content.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    let base = |word: &str| word.rsplit('/').next().map(str::to_owned);
    let mut name = base(words.next()?)?;
    if name == "env" {
        name = base(words.find(|word| !word.starts_with('-') && !word.contains('='))?)?;
    }
    let name = name.trim_end_matches(|character: char| character.is_ascii_digit() || character == '.');
    if name == "nodejs" { Some(Language::JavaScript) } else { name.parse().ok() }
}

fn unknown(source: Source<'_>, extension: Option<&str>) -> CliError {
    let what = match (source, extension) {
        (Source::File(path, _), Some(extension)) => format!("{} (extension .{extension})", path.display()),
        (Source::File(path, _), None) => format!("{} (no extension)", path.display()),
        (Source::Unnamed(_), _) => "the program".to_owned(),
    };
    CliError::new(
        ErrorCode::UnknownLanguage,
        format!(
            "the language of {what} is unknown; accepted: the extensions .py, .js, .cjs, .mjs, .sh, .bash, .php, a first line such as #!/usr/bin/env python3, or --lang python, javascript, bash or php"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::{Source, choose};
    use faas_types::Language;
    use std::path::Path;

    fn of_file(path: &str, content: &str) -> Option<Language> {
        choose(None, Source::File(Path::new(path), content.as_bytes()), None).ok()
    }

    #[test]
    fn asked_then_extension_then_first_line_then_default() {
        let file = Source::File(Path::new("a.py"), b"#!/bin/bash\n");
        assert_eq!(choose(Some(Language::JavaScript), file, None).ok(), Some(Language::JavaScript));
        assert_eq!(of_file("a.py", "#!/bin/bash\n"), Some(Language::Python));
        assert_eq!(of_file("a.mjs", ""), Some(Language::JavaScript));
        assert_eq!(of_file("a.php", "<?php\n"), Some(Language::Php));
        for (line, language) in [
            ("#!/bin/sh", Language::Bash),
            ("#!/usr/bin/python3.11 -I", Language::Python),
            ("#!/usr/bin/env node", Language::JavaScript),
            ("#!/usr/bin/env -S A=1 nodejs --x", Language::JavaScript),
            ("#! /bin/bash\r\necho", Language::Bash),
        ] {
            assert_eq!(of_file("tool", line), Some(language), "{line}");
            assert_eq!(of_file("tool.rb", line), Some(language), "{line}");
        }
        assert_eq!(choose(None, Source::Unnamed(b"1"), Some(Language::Python)).ok(), Some(Language::Python));
        assert_eq!(choose(None, Source::Unnamed(b"#!/bin/sh\n"), Some(Language::Python)).ok(), Some(Language::Bash));
    }

    #[test]
    fn what_cannot_be_told_names_the_accepted_forms() {
        for (path, content) in
            [("a.rb", ""), ("tool", "#!/usr/bin/perl\n"), ("tool", "#!"), ("tool", "#!/usr/bin/env\n")]
        {
            let source = Source::File(Path::new(path), content.as_bytes());
            let message = choose(None, source, None).expect_err(path).to_string();
            assert!(message.contains(path) && message.contains(".py") && message.contains("--lang"), "{message}");
        }
    }
}
