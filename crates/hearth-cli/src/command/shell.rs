//! `hearth completions` and `hearth man`, made from the same definition as the parser.
//!
//! So they cannot fall behind the options there are. Neither needs a daemon, and both print to the
//! standard output only: where the files belong is the packager's business.

use crate::args::Cli;
use crate::args::operate::CompletionsArgs;
use crate::console::Console;
use crate::exit::{Done, Outcome};
use crate::failure::Failure;
use clap::CommandFactory as _;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use std::io;

/// Prints completions.
pub(crate) fn completions(args: &CompletionsArgs, console: &mut Console) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "hearth", &mut script);
    console.printer.bytes(&script)?;
    Ok(Done::Found)
}

/// Prints one manual page that holds every command.
pub(crate) fn man(console: &mut Console) -> Outcome {
    let mut page = Vec::new();
    render(&mut page).map_err(|error| Failure::io("cannot make the manual page", &error))?;
    console.printer.bytes(&page)?;
    Ok(Done::Found)
}

fn render(page: &mut Vec<u8>) -> io::Result<()> {
    let mut command = Cli::command();
    command.build();
    let man = Man::new(command.clone());
    man.render_title(page)?;
    man.render_name_section(page)?;
    man.render_synopsis_section(page)?;
    man.render_description_section(page)?;
    man.render_options_section(page)?;
    render_commands(page, &command, "hearth")?;
    man.render_extra_section(page)
}

/// A section for each command below `parent`, those of `daemon` included.
fn render_commands(page: &mut Vec<u8>, parent: &clap::Command, path: &str) -> io::Result<()> {
    for command in parent.get_subcommands().filter(|command| command.get_name() != "help") {
        let path = format!("{path} {}", command.get_name());
        let about =
            command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
        let mut heading = Roff::new();
        heading.control("SH", [path.to_uppercase().as_str()]);
        heading.text([roman(about)]);
        heading.to_writer(page)?;
        let man = Man::new(command.clone());
        man.render_synopsis_section(page)?;
        man.render_options_section(page)?;
        man.render_extra_section(page)?;
        render_commands(page, command, &path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_page_names_every_command_and_option() {
        let mut page = Vec::new();
        render(&mut page).expect("memory can be written to");
        let page = String::from_utf8(page).expect("the page is text").replace('\\', "");
        for word in
            ["HEARTH FIND", "HEARTH STATUS", "HEARTH DAEMON LOGS", "--not-in", "--read-budget", "Examples:"]
        {
            assert!(page.contains(word), "{word}");
        }
    }
}
