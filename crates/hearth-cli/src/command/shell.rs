//! `hearth completions` and `hearth man`, made from the same definition as the parser.

use crate::args::Cli;
use crate::args::operate::CompletionsArgs;
use crate::console::Console;
use crate::exit::{Done, Outcome};
use crate::failure::Failure;
use clap::CommandFactory as _;
use clap_mangen::roff::{Roff, roman};

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

fn render(page: &mut Vec<u8>) -> std::io::Result<()> {
    let mut command = Cli::command();
    command.build();
    let man = clap_mangen::Man::new(command.clone());
    man.render(page)?;
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        let mut heading = Roff::new();
        heading.control("SH", [format!("hearth {}", sub.get_name()).to_uppercase().as_str()]);
        heading.text([roman(sub.get_about().map(ToString::to_string).unwrap_or_default())]);
        heading.to_writer(page)?;
        let man = clap_mangen::Man::new(sub.clone());
        man.render_synopsis_section(page)?;
        man.render_options_section(page)?;
        man.render_extra_section(page)?;
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
        for word in ["HEARTH FIND", "HEARTH STATUS", "--not-in", "--read-budget", "Examples:"] {
            assert!(page.contains(word), "{word}");
        }
    }
}
