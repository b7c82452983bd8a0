//! Filters of log lines, as `RUST_LOG` has them.

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// `LEVEL` and `TARGET=LEVEL` with commas, levels in lower case.
///
/// A target alone is refused, because a misspelt level would be one and silence everything else.
pub(crate) fn parse(text: &str) -> Option<String> {
    let parts: Vec<String> = text.split(',').map(|part| directive(part.trim())).collect::<Option<_>>()?;
    Some(parts.join(","))
}

fn directive(text: &str) -> Option<String> {
    match text.split_once('=') {
        None => level(text).map(str::to_owned),
        Some((target, text)) if is_target(target) => level(text).map(|level| format!("{target}={level}")),
        Some(_) => None,
    }
}

fn level(text: &str) -> Option<&'static str> {
    LEVELS.into_iter().find(|level| level.eq_ignore_ascii_case(text))
}

fn is_target(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn levels_and_targets_are_taken_in_any_case() {
        for (text, filter) in [
            ("info", "info"),
            ("INFO", "info"),
            ("warn, faas_gateway=Debug,hyper::client=off", "warn,faas_gateway=debug,hyper::client=off"),
        ] {
            assert_eq!(parse(text).as_deref(), Some(filter));
        }
    }

    #[test]
    fn what_would_be_ignored_is_refused() {
        for text in ["", "inof", "info,", "faas_gateway", "=info", "faas=loud", "[span]=info", "info,a=b=c", "verbose"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
