//! plocate over a list of paths: the peer of the engine.
//!
//! The database is made from the same paths by `plocate-build --plaintext`, without the visibility
//! check (the paths do not exist), which is plocate's fastest mode. Each question is one process, as
//! that is how plocate is used; its floor is the time of a question with no answer.

use crate::peer::{self, Finished, TemporaryFolder};
use crate::samples::Samples;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// A database of plocate.
pub(crate) struct Plocate {
    program: PathBuf,
    database: PathBuf,
    pub(crate) built_in: Duration,
    pub(crate) bytes: u64,
}

impl Plocate {
    /// Builds the database of the paths in `list`, one a line, inside `folder`.
    pub(crate) fn build(folder: &TemporaryFolder, list: &Path) -> io::Result<Self> {
        let program = peer::program("plocate")?;
        let build = peer::program("plocate-build")?;
        let database = folder.join("plocate.db");
        let begun = Instant::now();
        let arguments = ["--plaintext", "--require-visibility", "no"];
        peer::must(Command::new(build).args(arguments).arg(list).arg(&database))?;
        let bytes = std::fs::metadata(&database)?.len();
        Ok(Plocate { program, database, built_in: begun.elapsed(), bytes })
    }

    fn command(&self, arguments: &[&str], pattern: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--database").arg(&self.database).args(arguments).arg("--").arg(pattern);
        command
    }

    /// Asks one question whose answer is kept.
    pub(crate) fn ask(
        &self,
        arguments: &[&str],
        pattern: &str,
        samples: &mut Samples,
    ) -> io::Result<Finished> {
        peer::timed(&mut self.command(arguments, pattern), samples)
    }

    /// Asks for a number of matches.
    pub(crate) fn count(&self, arguments: &[&str], pattern: &str, samples: &mut Samples) -> io::Result<u64> {
        let arguments = [&["--count"], arguments].concat();
        let finished = self.ask(&arguments, pattern, samples)?;
        let text = String::from_utf8_lossy(&finished.stdout);
        text.trim()
            .parse()
            .map_err(|_| io::Error::other(format!("plocate --count {pattern} printed `{text}`")))
    }

    /// Asks for everything that matches and counts the bytes that come.
    pub(crate) fn export(&self, pattern: &str, samples: &mut Samples) -> io::Result<Finished> {
        peer::drained(&mut self.command(&[], pattern), samples)
    }
}
