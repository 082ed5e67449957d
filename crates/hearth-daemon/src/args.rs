//! The command line of `hearthd`: four flags, none of which takes a value.
//!
//! So few that a parser of arguments would be more than they are. Everything else is configured by the
//! file and the environment; an argument that is not known is refused, never ignored.

use crate::exit::Failure;
use std::ffi::OsString;

/// How the daemon runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Away from the terminal, logging to its file.
    Background,
    /// As a child of a terminal or of a service manager, logging to stderr.
    Foreground,
    /// For one client, over standard input and output.
    Stdio,
}

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// To serve.
    Run(Mode),
    /// To say something and end.
    Print(String),
}

const HELP: &str = "\
hearthd: the daemon of hearth. `hearth` starts it by itself; there is rarely a reason to run it by hand.

Usage: hearthd [--foreground | --stdio]

  --foreground  stay attached, log to stderr (for a terminal or a service manager)
  --stdio       serve one client over standard input and output, without a socket
  --version     print the version
  --help        print this text

Configuration, log and socket: HEARTH_HOME, else the XDG folders, else (root) /etc/hearth, /var/lib/hearth, /run/hearth.

Examples:
  hearthd --foreground
  HEARTH_HOME=/tmp/try HEARTH_LOG_LEVEL=debug hearthd --foreground
";

/// Reads the arguments after the program's name.
pub(crate) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Asked, Failure> {
    let mut asked = Asked::Run(Mode::Background);
    for argument in arguments {
        asked = match (argument.to_str(), &asked) {
            (Some("--help" | "-h"), _) => return Ok(Asked::Print(HELP.to_owned())),
            (Some("--version" | "-V"), _) => {
                return Ok(Asked::Print(format!("hearthd {}\n", env!("CARGO_PKG_VERSION"))));
            }
            (Some("--foreground"), Asked::Run(Mode::Background)) => Asked::Run(Mode::Foreground),
            (Some("--stdio"), Asked::Run(Mode::Background)) => Asked::Run(Mode::Stdio),
            _ => return Err(refuse(&argument)),
        };
    }
    Ok(asked)
}

fn refuse(argument: &OsString) -> Failure {
    let argument = argument.to_string_lossy();
    Failure::usage(format!("unexpected argument `{argument}`; see `hearthd --help`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Asked, Failure> {
        super::parse(arguments.iter().map(OsString::from))
    }

    #[test]
    fn flags_choose_the_mode() {
        assert_eq!(parse(&[]).unwrap(), Asked::Run(Mode::Background));
        assert_eq!(parse(&["--foreground"]).unwrap(), Asked::Run(Mode::Foreground));
        assert_eq!(parse(&["--stdio"]).unwrap(), Asked::Run(Mode::Stdio));
        assert!(matches!(parse(&["--stdio", "--help"]).unwrap(), Asked::Print(_)));
    }

    #[test]
    fn anything_else_is_an_error_that_names_it() {
        for arguments in
            [&["--froeground"][..], &["run"], &["--stdio", "--foreground"], &["--stdio", "--stdio"]]
        {
            let failure = parse(arguments).unwrap_err();
            assert!(failure.message.contains(arguments.last().unwrap()), "{}", failure.message);
            assert_eq!(failure.status, 2);
        }
    }
}
