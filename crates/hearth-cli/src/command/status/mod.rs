//! `hearth status`: the daemon and every source.
//!
//! All numbers of one look come from one answer of the daemon. `--watch` looks again every second over
//! the same connection, and at once when a source moves. JSON passes every field on, the table shows those a
//! person needs.

mod frame;
mod report;

use crate::args::operate::StatusArgs;
use crate::console::Console;
use crate::exit::{Done, Outcome};
use crate::failure::Stop;
use crate::reach::{connect, refused};
use crate::text::time;
use hearth_client::Client;
use hearth_protocol::answer::Status;
use report::Look;
use std::time::Duration;

/// Time between two looks of `--watch`.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Moves come in groups: time for the rest of one, so that it is one frame.
const SETTLE: Duration = Duration::from_millis(50);

/// Asks and prints, once or again and again.
pub(crate) fn run(args: &StatusArgs, console: &mut Console) -> Outcome {
    let mut client = connect(console)?;
    let status = client.status().map_err(refused)?;
    print(args, &status, console)?;
    if args.watch { watch(args, &mut client, console) } else { Ok(Done::Found) }
}

/// Ends when nobody reads, when the daemon ends, or by a signal. Nothing but a frame changes the terminal, and
/// each one leaves it as it was, so that a signal needs no answer.
fn watch(args: &StatusArgs, client: &mut Client, console: &mut Console) -> Outcome {
    if !args.json {
        client.subscribe_transitions().map_err(refused)?;
    }
    loop {
        console.printer.flush()?;
        if args.json {
            std::thread::sleep(LOOK_EVERY);
        } else if client.next_transition(LOOK_EVERY).map_err(refused)?.is_some() {
            std::thread::sleep(SETTLE);
        }
        let status = client.status().map_err(refused)?;
        print(args, &status, console)?;
    }
}

fn print(args: &StatusArgs, status: &Status, console: &mut Console) -> Result<(), Stop> {
    if args.json {
        console.printer.json(&status.daemon)?;
        return status.shards.iter().try_for_each(|shard| console.printer.json(shard));
    }
    let look = Look {
        colored: console.colors(args.color.color).is_some(),
        blocks: console.has_blocks(),
        now: time::now(),
    };
    let in_place = args.watch && console.printer.is_terminal();
    console.printer.push(|out| {
        if in_place {
            let mut text = Vec::new();
            report::push_text(&mut text, status, &look);
            frame::push_frame(out, &text, frame::height());
        } else {
            report::push_text(out, status, &look);
        }
    })
}
