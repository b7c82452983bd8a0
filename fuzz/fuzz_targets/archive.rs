//! Fuzzes the reading of an archive that brings a function's source. The same promises are held over changed
//! archives by the ordinary tests of `faas-archive`.

#![no_main]

use faas_archive::{ArchiveError, Limits, Relative, read_files};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut paid = 0_usize;
    let read = read_files::<ArchiveError>("source", data, &Limits::SOURCE, |bytes| {
        paid += bytes;
        Ok(())
    });
    let Ok(files) = read else { return };
    let kept: usize = files.iter().map(|file| file.path.len() + file.content.len()).sum();
    assert!(kept <= paid, "{kept} bytes are kept, {paid} are paid for");
    assert!(files.iter().map(|file| file.content.len()).sum::<usize>() <= 16 << 20);
    assert!(files.iter().all(|file| Relative::parse(file.path.as_bytes()).is_ok()));
    assert!(files.windows(2).all(|pair| pair[0].path < pair[1].path), "a path came twice");
});
