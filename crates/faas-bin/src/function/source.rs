//! What is to be deployed: a folder with its `faas.yaml`, an archive of one, or one source file.

use super::ignored::{IGNORE_FILE, Ignored};
use super::manifest::{self, MANIFEST};
use super::{archive, folder};
use crate::diagnostic::CliError;
use crate::language;
use faas_client::model::{FileBody, FunctionBody};
use faas_types::{ErrorCode, FunctionName, Language};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// A function as its folder or file has it.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// Its name.
    pub(crate) name: FunctionName,
    /// What it is: its name, its runtime, its files and which of them is run are always said.
    pub(crate) body: FunctionBody,
}

impl Source {
    /// Reads a folder, an archive or a file; `name` stands in place of the name that it says itself.
    pub(crate) fn read(target: &Path, name: Option<&str>) -> Result<Self, CliError> {
        let shown = target.display();
        let metadata = fs::metadata(target).map_err(|error| {
            CliError::new(ErrorCode::ProgramUnreadable, format!("{shown} cannot be read: {error}"))
                .help("name a folder with faas.yaml or a source file; `faas new NAME` makes a folder")
        })?;
        let in_manifest = || format!("name in {}", target.join(MANIFEST).display());
        let (mut body, place) = if metadata.is_dir() {
            (read_folder(target)?, in_manifest())
        } else if metadata.is_file()
            && let Some(files) = archive::read(target)?
        {
            (read_archive(target, files)?, in_manifest())
        } else {
            (read_file(target, metadata.permissions().mode() & 0o111 != 0)?, format!("the name of {shown}"))
        };
        let name = match (name, body.name.take()) {
            (Some(name), _) => parse("--name", name)?,
            (None, Some(name)) => name,
            (None, None) => parse(&place, &own_name(target))?,
        };
        body.name = Some(name.clone());
        Ok(Self { name, body })
    }
}

fn parse(field: &str, name: &str) -> Result<FunctionName, CliError> {
    name.parse().map_err(|error| {
        CliError::invalid(format!("{field} is refused: {error}")).help("give it another name with --name")
    })
}

/// The folder's name, or the file's or archive's without its extension.
fn own_name(target: &Path) -> String {
    // `.` has the name of the folder that it is.
    let real = fs::canonicalize(target).unwrap_or_else(|_| target.to_path_buf());
    let whole = real.file_name().unwrap_or_default().to_string_lossy();
    if real.is_dir() {
        return whole.into_owned();
    }
    let stem = || real.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    archive::own_name(&whole).map_or_else(stem, str::to_owned)
}

fn read_folder(folder: &Path) -> Result<FunctionBody, CliError> {
    let place = folder.join(MANIFEST);
    let Some(text) = folder::text(&place)? else {
        let detail = format!("{} does not exist, and {} is a folder", place.display(), folder.display());
        return Err(CliError::new(ErrorCode::ProgramUnreadable, detail)
            .help("`faas new NAME` makes a folder that has one; a single source file needs none: `faas deploy FILE`"));
    };
    let body = manifest::read(&place.display().to_string(), &text)?;
    of_files(body, folder::read(folder)?, &place)
}

/// As a folder, but that `faas.yaml` may be missing: nobody is at hand to write one.
fn read_archive(archive: &Path, mut files: Vec<FileBody>) -> Result<FunctionBody, CliError> {
    let place = archive.join(MANIFEST);
    let ignored = files.iter().find(|file| file.path == IGNORE_FILE);
    let ignored = ignored.map(|file| Ignored::read(&String::from_utf8_lossy(&file.content))).unwrap_or_default();
    files.retain(|file| file.path == MANIFEST || !ignored.holds_below(&file.path));
    let body = match files.iter().position(|file| file.path == MANIFEST).map(|at| files.remove(at)) {
        None => FunctionBody::default(),
        Some(FileBody { content, .. }) => {
            let text = String::from_utf8(content).map_err(|error| {
                let detail = format!("{} is not UTF-8 at byte {}", place.display(), error.utf8_error().valid_up_to());
                CliError::new(ErrorCode::NotText, detail)
            })?;
            manifest::read(&place.display().to_string(), &text)?
        }
    };
    of_files(body, files, &place)
}

fn of_files(mut body: FunctionBody, files: Vec<FileBody>, place: &Path) -> Result<FunctionBody, CliError> {
    body.files = files;
    let main = match body.main.take() {
        Some(main) if body.files.iter().any(|file| file.path == main) => main,
        Some(main) => {
            let detail = format!("main in {} is {main:?}, which is none of the files beside it", place.display());
            return Err(CliError::new(ErrorCode::ConfigInvalid, detail));
        }
        None => choose_main(&body, place)?,
    };
    complete(body, main)
}

fn read_file(path: &Path, executable: bool) -> Result<FunctionBody, CliError> {
    let content = crate::files::read_program(path)?.to_vec();
    let main = path
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| CliError::new(ErrorCode::FileRefused, format!("the name of {} is not UTF-8", path.display())))?;
    let files = vec![FileBody { path: main.to_owned(), content, executable }];
    complete(FunctionBody { files, ..FunctionBody::default() }, main.to_owned())
}

/// Says which file is run and in which language.
fn complete(mut body: FunctionBody, main: String) -> Result<FunctionBody, CliError> {
    if body.runtime.is_none() {
        let content = body.files.iter().find(|file| file.path == main).map(|file| file.content.as_slice());
        let source = language::Source::File(Path::new(&main), content.unwrap_or_default());
        body.runtime = Some(language::choose(None, source, None)?.into());
    }
    body.main = Some(main);
    Ok(body)
}

/// The file with the usual name, else the only one in a language that is known.
fn choose_main(body: &FunctionBody, place: &Path) -> Result<String, CliError> {
    let languages: Vec<Language> = match &body.runtime {
        Some(runtime) => vec![runtime.language],
        None => Language::ALL.to_vec(),
    };
    let usual = |path: &str| languages.iter().any(|language| path == language.main_file());
    let known = |path: &str| {
        let language = path.rsplit_once('.').and_then(|(_, extension)| Language::from_extension(extension));
        !path.contains('/') && language.is_some_and(|language| languages.contains(&language))
    };
    let paths = || body.files.iter().map(|file| file.path.as_str());
    let usual: Vec<&str> = paths().filter(|path| usual(path)).collect();
    let known: Vec<&str> = paths().filter(|path| known(path)).collect();
    match (usual.as_slice(), known.as_slice()) {
        ([main], _) | ([], [main]) => Ok((*main).to_owned()),
        (_, known) => {
            let which = if known.is_empty() { "a file of the folder".to_owned() } else { known.join(" or ") };
            let detail = format!("main is missing in {}: which file is run? accepted: {which}", place.display());
            Err(CliError::new(ErrorCode::ConfigInvalid, detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Source;
    use std::fs;
    use tempfile::TempDir;

    fn source(files: &[(&str, &str)]) -> Result<Source, String> {
        let folder = TempDir::new().expect("a folder");
        for (path, content) in files {
            fs::write(folder.path().join(path), content).expect("written");
        }
        let target = if files.len() == 1 { folder.path().join(files[0].0) } else { folder.path().to_path_buf() };
        Source::read(&target, None).map_err(|error| error.to_string())
    }

    #[test]
    fn which_file_is_run_is_said_or_plain() {
        let yaml = ("faas.yaml", "name: a");
        for (files, main, runtime) in [
            (vec![yaml, ("main.py", ""), ("other.py", "")], "main.py", "python"),
            (vec![yaml, ("app.js", ""), ("data.json", "")], "app.js", "javascript"),
            (vec![("faas.yaml", "name: a\nruntime: bash"), ("main.py", ""), ("main.sh", "")], "main.sh", "bash"),
            (vec![("faas.yaml", "name: a\nmain: b.py"), ("a.py", ""), ("b.py", "")], "b.py", "python"),
        ] {
            let body = source(&files).expect(main).body;
            assert_eq!(
                (body.main.as_deref(), body.runtime.expect("said").to_string()),
                (Some(main), runtime.to_owned())
            );
        }
        for (files, parts) in [
            (vec![yaml, ("a.py", ""), ("b.py", "")], ["main is missing", "a.py or b.py"]),
            (vec![yaml, ("main.py", ""), ("main.js", "")], ["main is missing", "main.js or main.py"]),
            (vec![("faas.yaml", "name: a\nmain: x.py"), ("a.py", "")], ["\"x.py\"", "none of"]),
            (vec![("a.py", ""), ("b.py", "")], ["faas.yaml does not exist", "folder"]),
        ] {
            let error = source(&files).expect_err("refused");
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        }
    }

    #[test]
    fn a_single_file_is_a_function_of_its_name() {
        let made = source(&[("resize.py", "def handle(request): return 1\n")]).expect("a function");
        assert_eq!((made.name.as_str(), made.body.main.as_deref()), ("resize", Some("resize.py")));
        assert!(source(&[("a b.py", "")]).expect_err("no name").contains("the name of"));
    }
}
