//! Files of a function that come from this host.

use bytes::Bytes;
use faas_executor_api::FileIn;
use faas_routes_file::Module;
use faas_types::Language;

/// A file of a function's source, which is read and not executed.
pub(crate) fn source_file(path: impl Into<String>, content: impl Into<Bytes>) -> FileIn {
    FileIn { path: path.into(), content: content.into(), executable: false }
}

/// The files of a module of this name, and whether it is a directory. One file has the last part of the name.
pub(crate) fn files_of(module: &str, read: Module) -> (Vec<FileIn>, bool) {
    match read {
        Module::File(bytes) => {
            let name = module.rsplit('/').next().unwrap_or(module);
            (vec![source_file(name, bytes)], false)
        }
        Module::Directory(files) => (files.into_iter().map(|one| source_file(one.path, one.bytes)).collect(), true),
    }
}

/// The file that is run: the module itself, or the one of a directory that its name tells.
pub(crate) fn main_of(language: Language, files: &[FileIn], is_directory: bool) -> String {
    let usual = language.main_file().to_owned();
    if !is_directory {
        return files.first().map_or(usual, |file| file.path.clone());
    }
    let index = usual.replacen("main", "index", 1);
    let has = |name: &str| files.iter().any(|file| file.path == name);
    if has(&usual) || !has(&index) { usual } else { index }
}
