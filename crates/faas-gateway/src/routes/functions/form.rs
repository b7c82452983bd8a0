//! The body of a function that is made or changed: JSON, or a form with the JSON and an archive of its source.
//!
//! Invariants: what an archive unpacks to is paid for, with the body it came in, before it is kept; the form is
//! whole before it is read, so that no part of it can be asked for twice.

use crate::ApiError;
use crate::budget::Lease;
use crate::routes::{JsonBody, RawBody};
use crate::state::Shared;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;
use faas_archive::{ArchiveError, ArchiveFile, Limits, read_files};
use faas_executor_api::FileIn;
use faas_types::ErrorCode;
use futures_util::{FutureExt as _, future, stream};
use multer::{Field, Multipart};
use std::convert::Infallible;

/// The parts of a form.
const FUNCTION: &str = "function";
const SOURCE: &str = "source";

/// A body as it came.
pub(super) enum SentFunction {
    Json(JsonBody),
    Form { bytes: Bytes, boundary: String, paid: Option<Lease> },
}

/// What a body says.
pub(super) struct Sent<T> {
    pub(super) body: T,
    /// The files of the archive that came with it.
    pub(super) source: Option<Vec<FileIn>>,
    /// What keeps it all paid for.
    pub(super) paid: Option<Lease>,
}

impl FromRequest<Shared> for SentFunction {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &Shared) -> Result<Self, ApiError> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.trim_start().to_ascii_lowercase().starts_with("multipart/form-data") {
            return Ok(Self::Json(JsonBody::from_request(request, state).await?));
        }
        let boundary = multer::parse_boundary(kind).map_err(|error| broken(&error))?;
        let (bytes, paid) = RawBody::from_request(request, state).await?.into_parts();
        Ok(Self::Form { bytes, boundary, paid })
    }
}

impl SentFunction {
    /// What the body says, and the files that came with it. `read` is given the JSON, and the archive where there
    /// is one.
    pub(super) async fn read<T: Send + 'static>(
        self,
        read: impl FnOnce(&[u8], Option<&[u8]>) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<Sent<T>, ApiError> {
        let (bytes, boundary, paid) = match self {
            Self::Json(body) => {
                let (body, paid) = body.read(|json| read(json, None)).await?;
                return Ok(Sent { body, source: None, paid });
            }
            Self::Form { bytes, boundary, paid } => (bytes, boundary, paid),
        };
        let reading = tokio::task::spawn_blocking(move || {
            let Form { function, source } = Form::of(bytes, boundary)?;
            let body = read(&function, Some(&source))?;
            let files = files_of(&source, paid.as_ref())?;
            Ok(Sent { body, source: Some(files), paid })
        });
        let failed = |_| ApiError::new(ErrorCode::Internal, "the server failed to read the body; its log has more");
        reading.await.map_err(failed)?
    }
}

fn files_of(archive: &[u8], paid: Option<&Lease>) -> Result<Vec<FileIn>, ApiError> {
    let pay = |bytes| paid.map_or(Ok(()), |paid| paid.pay(bytes));
    let file = |ArchiveFile { path, content, executable }| FileIn { path, content: Bytes::from(content), executable };
    Ok(read_files::<ApiError>(SOURCE, archive, &Limits::SOURCE, pay)?.into_iter().map(file).collect())
}

/// The two parts of a form.
struct Form {
    function: Bytes,
    source: Bytes,
}

impl Form {
    fn of(bytes: Bytes, boundary: String) -> Result<Self, ApiError> {
        // One piece: a reader that waits for more looks through what it has anew each time.
        let whole = stream::once(future::ready(Ok::<_, Infallible>(bytes)));
        let reading = Self::read(Multipart::new(whole, boundary)).now_or_never();
        reading.unwrap_or_else(|| Err(ApiError::new(ErrorCode::InvalidField, "the form does not end").field("body")))
    }

    async fn read(mut form: Multipart<'_>) -> Result<Self, ApiError> {
        let (mut function, mut source) = (None, None);
        while let Some(part) = form.next_field().await.map_err(|error| broken(&error))? {
            let place = match part.name() {
                Some(FUNCTION) => &mut function,
                Some(SOURCE) => &mut source,
                other => {
                    let name: String = other.unwrap_or_default().chars().take(64).collect();
                    let detail =
                        format!("the form has a part {name:?}; accepted: function (JSON) and source (an archive)");
                    return Err(ApiError::new(ErrorCode::UnknownField, detail).field(name));
                }
            };
            let name = if part.name() == Some(FUNCTION) { FUNCTION } else { SOURCE };
            if place.replace(content(part).await?).is_some() {
                return Err(ApiError::new(ErrorCode::InvalidField, format!("{name} is in the form twice")).field(name));
            }
        }
        let missing = |name: &str, what: &str| {
            ApiError::new(ErrorCode::InvalidField, format!("the form has no part {name}; accepted: {what}")).field(name)
        };
        Ok(Self {
            function: function.ok_or_else(|| missing(FUNCTION, "the function as JSON, without its source"))?,
            source: source.ok_or_else(|| missing(SOURCE, "a tar, tar.gz or zip archive; without one send JSON"))?,
        })
    }
}

async fn content(mut part: Field<'_>) -> Result<Bytes, ApiError> {
    // The form is whole, so that its parts come in one piece each.
    let whole = part.chunk().await.map_err(|error| broken(&error))?.unwrap_or_default();
    match part.chunk().await.map_err(|error| broken(&error))? {
        None => Ok(whole),
        Some(_) => Err(ApiError::new(ErrorCode::InvalidField, "a part of the form does not end").field("body")),
    }
}

fn broken(error: &multer::Error) -> ApiError {
    let detail = format!("the form cannot be read: {error}; accepted: multipart/form-data with function and source");
    ApiError::new(ErrorCode::InvalidField, detail).field("body")
}

impl From<ArchiveError> for ApiError {
    fn from(error: ArchiveError) -> Self {
        const ACCEPTED: &str =
            "accepted: a tar, tar.gz or zip archive of plain files and directories, at most 4096 files and 16 MiB";
        let code = match error {
            ArchiveError::Refused(_) | ArchiveError::Io(_) => ErrorCode::FileRefused,
            ArchiveError::TooLarge(_) => ErrorCode::CodeTooLarge,
        };
        Self::new(code, format!("source is refused: {error}; {ACCEPTED}")).field(SOURCE)
    }
}

#[cfg(test)]
mod tests {
    use super::Form;
    use crate::ApiError;
    use bytes::Bytes;
    use faas_archive::Limits;
    use faas_executor_api::MAX_CODE_BYTES;
    use faas_types::ErrorCode;
    use proptest::prelude::*;

    fn form(text: &str) -> Result<Form, ApiError> {
        Form::of(Bytes::from(text.replace('\n', "\r\n")), "XX".to_owned())
    }

    fn part(name: &str, content: &str) -> String {
        format!("--XX\nContent-Disposition: form-data; name=\"{name}\"\n\n{content}\n")
    }

    #[test]
    fn an_archive_may_hold_what_files_may() {
        assert_eq!(Limits::SOURCE.unpacked.as_bytes(), u64::try_from(MAX_CODE_BYTES).expect("a size"));
        assert_eq!(Limits::SOURCE.files, u32::try_from(faas_api_model::MAX_ENTRIES).expect("a count"));
    }

    #[test]
    fn the_two_parts_are_read_in_any_order() {
        for parts in
            [[part("function", "{}"), part("source", "a--XXb")], [part("source", "a--XXb"), part("function", "{}")]]
        {
            let Form { function, source } = form(&(parts.concat() + "--XX--\n")).expect("a form");
            assert_eq!((&*function, &*source), (&b"{}"[..], &b"a--XXb"[..]));
        }
    }

    #[test]
    fn what_is_no_such_form_is_refused_by_its_part() {
        let both = part("function", "{}") + &part("source", "x");
        for (text, code, field) in [
            (both.clone() + &part("other", "x") + "--XX--", ErrorCode::UnknownField, "other"),
            (both.clone() + &part("source", "x") + "--XX--", ErrorCode::InvalidField, "source"),
            (part("function", "{}") + "--XX--", ErrorCode::InvalidField, "source"),
            (part("source", "x") + "--XX--", ErrorCode::InvalidField, "function"),
            (both.clone(), ErrorCode::InvalidField, "body"),
            (both + "--XX", ErrorCode::InvalidField, "body"),
            ("--XX\nContent-Disposition: form-data; name=\"function\"\n".to_owned(), ErrorCode::InvalidField, "body"),
            (String::new(), ErrorCode::InvalidField, "body"),
            ("--XX--".to_owned(), ErrorCode::InvalidField, "function"),
        ] {
            let error = form(&text).err().unwrap_or_else(|| panic!("{text:?} was read"));
            assert_eq!((error.code, error.field.as_deref()), (code, Some(field)), "{text:?}: {}", error.detail);
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_as_a_form_is_answered(pieces in prop::collection::vec(
            prop::sample::select(vec![
                "--XX", "--", "\r\n", "\r", "Content-Disposition: form-data; name=\"source\"", "name=\"", "\0", "\u{ff}", ": ",
            ]),
            0..40,
        )) {
            drop(Form::of(Bytes::from(pieces.concat()), "XX".to_owned()));
        }
    }
}
