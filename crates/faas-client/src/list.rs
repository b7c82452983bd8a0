//! Which executions a list shows, as the query of a request.

use faas_types::ExecutionState;
use std::fmt::Write as _;

/// Which executions are wanted; newest come first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListFilter {
    /// Only those that stand here.
    pub status: Option<ExecutionState>,
    /// Only calls of this function.
    pub function: Option<String>,
    /// Only those marked with this value of a label.
    pub label: Option<(String, String)>,
    /// At most so many on a page; the server's default otherwise.
    pub limit: Option<u32>,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

impl ListFilter {
    /// As the query of a request.
    pub(crate) fn query(&self) -> String {
        let mut query = String::new();
        let mut add = |name: &str, value: &str| {
            query.push(if query.is_empty() { '?' } else { '&' });
            query.push_str(name);
            query.push('=');
            escape(value, &mut query);
        };
        if let Some(status) = self.status {
            add("status", status.as_str());
        }
        if let Some(function) = &self.function {
            add("function", function);
        }
        if let Some((name, value)) = &self.label {
            add("label", &format!("{name}={value}"));
        }
        if let Some(limit) = self.limit {
            add("limit", &limit.to_string());
        }
        if let Some(cursor) = &self.cursor {
            add("cursor", cursor);
        }
        query
    }
}

/// Everything but what a query and a path can hold as it is, percent-encoded.
pub(crate) fn escape(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ListFilter;
    use faas_types::ExecutionState;

    #[test]
    fn a_filter_becomes_a_query_and_cannot_leave_its_place() {
        assert_eq!(ListFilter::default().query(), "");
        let filter = ListFilter {
            status: Some(ExecutionState::Failed),
            function: Some("hello".to_owned()),
            label: Some(("team".to_owned(), "a&b=c d/ü".to_owned())),
            limit: Some(7),
            cursor: Some("x+/=".to_owned()),
        };
        assert_eq!(
            filter.query(),
            "?status=failed&function=hello&label=team%3Da%26b%3Dc%20d%2F%C3%BC&limit=7&cursor=x%2B%2F%3D"
        );
    }
}
