//! One route as the document describes it.

use crate::problem::{PROBLEM_JSON, status_in_body, status_of};
use faas_api_model::schema::reference;
use faas_types::ErrorCode;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What every route may answer with before or beside its handler.
const EVERYWHERE: [ErrorCode; 11] = [
    ErrorCode::PathNotCanonical,
    ErrorCode::UriTooLong,
    ErrorCode::HeadersTooLarge,
    ErrorCode::InvalidField,
    ErrorCode::Unauthorized,
    ErrorCode::OriginRefused,
    ErrorCode::BodyTimeout,
    ErrorCode::BodyTooLarge,
    ErrorCode::UnsupportedMediaType,
    ErrorCode::Stopping,
    ErrorCode::Internal,
];

/// What a route that takes a body may answer with.
const WITH_BODY: [ErrorCode; 3] = [ErrorCode::InvalidJson, ErrorCode::UnknownField, ErrorCode::AtCapacity];

/// A parameter of a path, a query or a header.
#[derive(Debug, Clone)]
pub(crate) struct Parameter {
    place: &'static str,
    name: &'static str,
    description: &'static str,
    schema: Value,
}

impl Parameter {
    pub(crate) const fn path(name: &'static str, description: &'static str, schema: Value) -> Self {
        Self { place: "path", name, description, schema }
    }

    pub(crate) const fn query(name: &'static str, description: &'static str, schema: Value) -> Self {
        Self { place: "query", name, description, schema }
    }

    pub(crate) const fn header(name: &'static str, description: &'static str, schema: Value) -> Self {
        Self { place: "header", name, description, schema }
    }

    fn to_json(&self) -> Value {
        json!({
            "in": self.place,
            "name": self.name,
            "required": self.place == "path",
            "description": self.description,
            "schema": self.schema,
        })
    }
}

/// The body of an answer.
#[derive(Debug, Clone, Copy)]
enum Content {
    None,
    Json(&'static str),
    Typed(&'static str),
    Events(&'static str),
}

/// The body of a request.
#[derive(Debug, Clone, Copy)]
enum Body {
    /// JSON of this schema, which must be there.
    Json(&'static str),
    /// JSON of this schema, or a form with it and an archive.
    JsonOrForm(&'static str),
    /// JSON of this schema, or nothing.
    Optional(&'static str),
    /// Whatever the function takes that it is passed on to.
    Any,
}

#[derive(Debug, Clone)]
struct Answer {
    description: &'static str,
    content: Content,
    headers: &'static [(&'static str, &'static str)],
}

/// One route as the document describes it.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    id: &'static str,
    summary: &'static str,
    parameters: Vec<Parameter>,
    body: Option<Body>,
    answers: BTreeMap<u16, Vec<Answer>>,
    codes: Vec<ErrorCode>,
    /// What a body may name that is not there.
    codes_in_body: Vec<ErrorCode>,
    /// The schema and media type of errors: problem details, but for a seed's own form.
    refusal: (&'static str, &'static str),
    /// Whether other answers than those described may come: a function's own.
    passes_on: bool,
}

impl Operation {
    /// A route by its operation id, which no other has.
    pub(crate) fn new(id: &'static str, summary: &'static str) -> Self {
        Self {
            id,
            summary,
            parameters: Vec::new(),
            body: None,
            answers: BTreeMap::new(),
            codes: EVERYWHERE.to_vec(),
            codes_in_body: Vec::new(),
            refusal: ("Problem", PROBLEM_JSON),
            passes_on: false,
        }
    }

    pub(crate) fn parameter(mut self, parameter: Parameter) -> Self {
        self.parameters.push(parameter);
        self
    }

    pub(crate) fn parameters(mut self, parameters: impl IntoIterator<Item = Parameter>) -> Self {
        self.parameters.extend(parameters);
        self
    }

    /// It takes a JSON body of this schema.
    pub(crate) fn body(mut self, schema: &'static str) -> Self {
        self.body = Some(Body::Json(schema));
        self.codes.extend(WITH_BODY);
        self
    }

    /// It takes a JSON body of this schema, or a form with it as `function` and an archive as `source`.
    pub(crate) fn body_or_form(mut self, schema: &'static str) -> Self {
        self.body = Some(Body::JsonOrForm(schema));
        self.codes.extend(WITH_BODY);
        self
    }

    /// It takes a JSON body of this schema, or none.
    pub(crate) fn optional_body(mut self, schema: &'static str) -> Self {
        self.body = Some(Body::Optional(schema));
        self.codes.extend(WITH_BODY);
        self
    }

    /// It takes any body and answers with whatever a function answers, or with this schema where that has none.
    pub(crate) fn passes_on(mut self, schema: &'static str) -> Self {
        self.body = Some(Body::Any);
        self.codes.extend([ErrorCode::InvalidJson, ErrorCode::AtCapacity]);
        self.passes_on = true;
        self.json(500, "The function failed.", schema).json(502, "Its sandbox was lost.", schema).json(
            504,
            "It took too long.",
            schema,
        )
    }

    /// It answers with JSON of this schema.
    pub(crate) fn json(self, status: u16, description: &'static str, schema: &'static str) -> Self {
        self.answer(status, Answer { description, content: Content::Json(schema), headers: &[] })
    }

    /// It answers with JSON of what was made, and says where that is.
    pub(crate) fn created(self, description: &'static str, schema: &'static str) -> Self {
        let headers = &[("location", "Where it is."), ("etag", "What If-Match of a change is compared with.")];
        self.answer(201, Answer { description, content: Content::Json(schema), headers })
    }

    /// It answers with nothing.
    pub(crate) fn empty(self, description: &'static str) -> Self {
        self.answer(204, Answer { description, content: Content::None, headers: &[] })
    }

    /// It says that its caller knows the answer.
    pub(crate) fn unchanged(self) -> Self {
        let description = "It is as it was.";
        self.answer(304, Answer { description, content: Content::None, headers: &[] })
    }

    /// It answers with JSON of this schema and says where to look next.
    pub(crate) fn accepted(self, description: &'static str, schema: &'static str) -> Self {
        let headers = &[("location", "Where to look for its end.")];
        self.answer(202, Answer { description, content: Content::Json(schema), headers })
    }

    /// It answers with text of this media type.
    pub(crate) fn typed(self, status: u16, description: &'static str, media_type: &'static str) -> Self {
        self.answer(status, Answer { description, content: Content::Typed(media_type), headers: &[] })
    }

    /// It answers with server-sent events whose data is JSON of this schema.
    pub(crate) fn events(self, status: u16, description: &'static str, schema: &'static str) -> Self {
        self.answer(status, Answer { description, content: Content::Events(schema), headers: &[] })
    }

    /// It switches to WebSocket where that is asked for.
    pub(crate) fn websocket(self) -> Self {
        let description = "Upgraded to WebSocket: StreamEvent as text frames.";
        self.answer(101, Answer { description, content: Content::None, headers: &[] })
    }

    /// It may refuse with these codes, beside the ones every route may.
    pub(crate) fn refuses(mut self, codes: impl IntoIterator<Item = ErrorCode>) -> Self {
        self.codes.extend(codes);
        self
    }

    /// Its body may name what is not there, which is refused with these codes.
    pub(crate) fn misses(mut self, codes: impl IntoIterator<Item = ErrorCode>) -> Self {
        self.codes_in_body.extend(codes);
        self
    }

    /// Its handler's errors have a form of their own beside problem details.
    pub(crate) const fn refusal(mut self, schema: &'static str) -> Self {
        self.refusal = (schema, "application/json");
        self
    }

    /// It may refuse with a status that no code has, in the form of [`Self::refusal`].
    pub(crate) fn refused_with(self, status: u16, description: &'static str) -> Self {
        let schema = self.refusal.0;
        self.json(status, description, schema)
    }

    fn answer(mut self, status: u16, answer: Answer) -> Self {
        self.answers.entry(status).or_default().push(answer);
        self
    }

    #[cfg(test)]
    pub(super) fn id(&self) -> &'static str {
        self.id
    }

    #[cfg(test)]
    pub(super) const fn answers_as_it_is_answered(&self) -> bool {
        self.passes_on
    }

    /// The statuses it may answer with.
    #[cfg(test)]
    pub(crate) fn statuses(&self) -> std::collections::BTreeSet<u16> {
        self.answers.keys().copied().chain(self.codes.iter().map(|code| status_of(*code).as_u16())).collect()
    }

    pub(super) fn to_json(&self) -> Value {
        let mut operation = json!({
            "operationId": self.id,
            "summary": self.summary,
            "parameters": self.parameters.iter().map(Parameter::to_json).collect::<Vec<_>>(),
            "responses": self.responses(),
        });
        let json = |required: bool, schema| json!({"required": required, "content": {"application/json": {"schema": reference(schema)}}});
        match self.body {
            Some(Body::Json(schema)) => operation["requestBody"] = json(true, schema),
            Some(Body::JsonOrForm(schema)) => {
                operation["requestBody"] = json(true, schema);
                operation["requestBody"]["content"]["multipart/form-data"] = form(schema);
            }
            Some(Body::Optional(schema)) => operation["requestBody"] = json(false, schema),
            Some(Body::Any) => operation["requestBody"] = json!({"content": {"*/*": {"schema": {}}}}),
            None => {}
        }
        operation
    }

    fn responses(&self) -> Value {
        let mut responses = Map::new();
        for (status, answers) in &self.answers {
            responses.insert(status.to_string(), success(answers));
        }
        let mut by_status: BTreeMap<u16, Vec<&'static str>> = BTreeMap::new();
        let in_path = self.codes.iter().map(|code| (status_of(*code), code));
        let in_body = self.codes_in_body.iter().map(|code| (status_in_body(*code), code));
        for (status, code) in in_path.chain(in_body) {
            let names = by_status.entry(status.as_u16()).or_default();
            if !names.contains(&code.as_str()) {
                names.push(code.as_str());
            }
        }
        for (status, mut names) in by_status {
            names.sort_unstable();
            let problem = self.problem(status, &names);
            match responses.get_mut(&status.to_string()) {
                Some(described) => join(described, &problem),
                None => drop(responses.insert(status.to_string(), problem)),
            }
        }
        if self.passes_on {
            let description = "What the function answers, with a status of its own.";
            let headers = json!({"x-faas-execution-id": header("The execution.")});
            responses.insert("default".to_owned(), json!({"description": description, "headers": headers}));
        }
        Value::Object(responses)
    }

    fn problem(&self, status: u16, codes: &[&str]) -> Value {
        let (schema, media_type) = self.refusal;
        let mut headers = json!({"x-request-id": header("The request's id.")});
        if matches!(status, 429 | 503) {
            headers["retry-after"] = header("Seconds to wait before the next try.");
        }
        let mut content = json!({(PROBLEM_JSON): {"schema": reference("Problem")}});
        content[media_type] = json!({"schema": reference(schema)});
        json!({"description": codes.join(", "), "x-codes": codes, "headers": headers, "content": content})
    }
}

/// One status both ways: as an answer of its own and as a problem.
fn join(described: &mut Value, problem: &Value) {
    described["x-codes"] = problem["x-codes"].clone();
    if let (Some(content), Some(problem)) = (described["content"].as_object_mut(), problem["content"].as_object()) {
        content.extend(problem.iter().map(|(kind, schema)| (kind.clone(), schema.clone())));
    }
}

fn success(answers: &[Answer]) -> Value {
    let mut content = Map::new();
    let mut headers = json!({"x-request-id": header("The request's id.")});
    for answer in answers {
        match answer.content {
            Content::None => {}
            Content::Json(schema) => {
                content.insert("application/json".to_owned(), json!({"schema": reference(schema)}));
            }
            Content::Typed(media_type) => {
                content.insert(media_type.to_owned(), json!({"schema": {"type": "string"}}));
            }
            Content::Events(schema) => {
                content.insert("text/event-stream".to_owned(), json!({"schema": event(schema)}));
            }
        }
        for (name, description) in answer.headers {
            headers[name] = header(description);
        }
    }
    let description = answers.iter().map(|answer| answer.description).collect::<Vec<_>>().join(" ");
    let mut response = json!({"description": description, "headers": headers});
    if !content.is_empty() {
        response["content"] = Value::Object(content);
    }
    response
}

/// A form with JSON of this schema and an archive.
fn form(schema: &str) -> Value {
    let source = json!({
        "description": "The source instead of code, files and module: a tar, tar.gz or zip archive of plain files and \
            directories, told by its bytes; at most 4096 files and 16 MiB unpacked.",
        "contentMediaType": "application/octet-stream",
    });
    json!({
        "schema": {
            "type": "object",
            "required": ["function", "source"],
            "additionalProperties": false,
            "properties": {"function": reference(schema), "source": source},
        },
        "encoding": {
            "function": {"contentType": "application/json"},
            "source": {"contentType": "application/octet-stream, application/x-tar, application/gzip, application/zip"},
        },
    })
}

/// One server-sent event.
fn event(schema: &str) -> Value {
    let data = json!({
        "type": "string",
        "contentMediaType": "application/json",
        "contentSchema": reference(schema),
    });
    json!({
        "type": "object",
        "description": "One event; the body is any number of them.",
        "required": ["event", "data"],
        "properties": {"id": {"type": "string"}, "event": {"type": "string"}, "data": data},
        "additionalProperties": false,
    })
}

fn header(description: &str) -> Value {
    json!({"description": description, "schema": {"type": "string"}})
}
