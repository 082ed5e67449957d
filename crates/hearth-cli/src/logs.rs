//! The end of a log file, and what is added to it.
//!
//! The file is read backwards in blocks until enough lines are there. Following survives rotation (another
//! file under the name) and truncation: both begin again at the start of what is there.

use crate::args::operate::LogsArgs;
use crate::console::Console;
use crate::exit::{Done, Outcome};
use crate::failure::{Failure, Stop};
use crate::text::quote;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::time::Duration;

const BLOCK: u64 = 64 * 1024;
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Shows the last lines of the log at `path`, and with `follow` whatever comes.
pub(crate) fn show(path: &Path, args: &LogsArgs, console: &mut Console) -> Outcome {
    let failed = |error: io::Error| Failure::io(&format!("cannot read {}", path.display()), &error);
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !args.follow => {
            console.notes.say(&format!("there is no log yet at {}", path.display()));
            return Ok(Done::Nothing);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => wait_for(path).map_err(failed)?,
        opened => opened.map_err(failed)?,
    };
    let start = start_of_last(&file, args.lines).map_err(failed)?;
    file.seek(SeekFrom::Start(start)).map_err(failed)?;
    loop {
        copy(&mut file, console).map_err(|stop| stop.or_io(failed))?;
        if !args.follow {
            return Ok(Done::Found);
        }
        std::thread::sleep(LOOK_EVERY);
        if let Some(newer) = replaced(&mut file, path).map_err(failed)? {
            copy(&mut file, console).map_err(|stop| stop.or_io(failed))?;
            file = newer;
        }
    }
}

/// Why copying ended.
enum CopyStop {
    Read(io::Error),
    Print(Stop),
}

impl CopyStop {
    fn or_io(self, failed: impl Fn(io::Error) -> Failure) -> Stop {
        match self {
            CopyStop::Read(error) => failed(error).into(),
            CopyStop::Print(stop) => stop,
        }
    }
}

/// Copies up to the end of the file. A terminal gets no control characters.
fn copy(file: &mut File, console: &mut Console) -> Result<(), CopyStop> {
    let mut block = vec![0; BLOCK as usize];
    loop {
        let count = file.read(&mut block).map_err(CopyStop::Read)?;
        if count == 0 {
            return console.printer.flush().map_err(CopyStop::Print);
        }
        let bytes = &mut block[..count];
        if console.printer.is_terminal() {
            bytes.iter_mut().filter(|byte| is_control(**byte)).for_each(|byte| *byte = b'?');
        }
        console.printer.bytes(bytes).map_err(CopyStop::Print)?;
    }
}

fn is_control(byte: u8) -> bool {
    byte.is_ascii() && !matches!(byte, b'\n' | b'\t') && !quote::is_printable(char::from(byte))
}

/// Where the last `lines` lines begin.
fn start_of_last(file: &File, lines: usize) -> io::Result<u64> {
    let length = file.metadata()?.len();
    let mut end = length;
    let mut found = 0;
    let mut block = vec![0; BLOCK as usize];
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        let bytes = &mut block[..(end - start) as usize];
        file.read_exact_at(bytes, start)?;
        for (at, _) in bytes.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            let after = start + at as u64 + 1;
            // The newline that ends the last line begins none.
            found += usize::from(after < length);
            if found == lines && after < length || lines == 0 {
                return Ok(if lines == 0 { length } else { after });
            }
        }
        end = start;
    }
    Ok(if lines == 0 { length } else { 0 })
}

/// The file that took the place of `file`; a truncated one is read again from its start.
fn replaced(file: &mut File, path: &Path) -> io::Result<Option<File>> {
    let ours = file.metadata()?;
    if ours.len() < file.stream_position()? {
        file.seek(SeekFrom::Start(0))?;
    }
    match File::open(path) {
        Ok(other) if (other.metadata()?.dev(), other.metadata()?.ino()) != (ours.dev(), ours.ino()) => {
            Ok(Some(other))
        }
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn wait_for(path: &Path) -> io::Result<File> {
    loop {
        match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => std::thread::sleep(LOOK_EVERY),
            opened => return opened,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn tail(text: &[u8], lines: usize) -> Vec<u8> {
        let mut file = tempfile::tempfile().expect("a temporary file");
        file.write_all(text).expect("it can be written");
        let start = start_of_last(&file, lines).expect("it can be read");
        text[start as usize..].to_vec()
    }

    #[test]
    fn the_last_lines_are_found() {
        assert_eq!(tail(b"a\nb\nc\n", 2), b"b\nc\n");
        assert_eq!(tail(b"a\nb\nc", 2), b"b\nc");
        assert_eq!(tail(b"a\nb\n", 5), b"a\nb\n");
        assert_eq!(tail(b"a\nb\n", 0), b"");
        assert_eq!(tail(b"", 3), b"");
        assert_eq!(tail(b"\n\n\n", 2), b"\n\n");
    }

    #[test]
    fn lines_longer_than_a_block_are_whole() {
        let long = [vec![b'x'; 200_000], b"\n".to_vec()].concat();
        let text = [b"first\n".to_vec(), long.clone(), b"last\n".to_vec()].concat();
        assert_eq!(tail(&text, 2), [long, b"last\n".to_vec()].concat());
    }

    #[test]
    fn truncation_and_rotation_are_seen() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("log");
        std::fs::write(&path, "one\n").expect("a file");
        let mut file = File::open(&path).expect("it opens");
        file.seek(SeekFrom::End(0)).expect("it seeks");
        assert!(replaced(&mut file, &path).expect("it is there").is_none());
        std::fs::write(&path, "").expect("a file");
        assert!(replaced(&mut file, &path).expect("it is there").is_none());
        assert_eq!(file.stream_position().expect("it has a position"), 0);
        std::fs::rename(&path, dir.path().join("old")).expect("it moves");
        assert!(replaced(&mut file, &path).expect("nothing is there yet").is_none());
        std::fs::write(&path, "two\n").expect("a file");
        assert!(replaced(&mut file, &path).expect("it is there").is_some());
    }
}
