//! `hearth config`: every setting, its value, and where it comes from; `hearth config key rotate`.
//!
//! The daemon is asked, not the file: shown is what is in force, defaults and environment included.
//! Only the place of the file (`--path`) is told without a daemon. The key itself is never shown.

use super::tell;
use crate::args::operate::{ConfigAction, ConfigArgs, KeyAction};
use crate::console::Console;
use crate::exit::{Done, Outcome};
use crate::failure::Failure;
use crate::reach::{connect, places, refused};
use crate::render::table::{Align, Table};
use crate::text::quote;
use hearth_protocol::answer::{Config, KeyRotation};
use serde_json::json;
use std::os::unix::ffi::OsStrExt as _;

/// Shows the configuration of the running daemon, or only where its file is, or changes the machine key.
pub(crate) fn run(args: &ConfigArgs, console: &mut Console) -> Outcome {
    match args.action {
        Some(_) if args.path => {
            Err(Failure::usage("`--path` shows the configuration's path and takes no subcommand").into())
        }
        Some(ConfigAction::Key(KeyAction::Rotate)) => rotate(args.json, console),
        None => show(args, console),
    }
}

fn rotate(json: bool, console: &mut Console) -> Outcome {
    let rotation = connect(console)?.rotate_key().map_err(refused)?;
    tell(&rotation, &rotated(&rotation), json, console)?;
    Ok(if rotation.left_out.is_empty() { Done::Found } else { Done::InPart })
}

/// One line for what was done, one for each source that was left out; no line feed at the end.
fn rotated(rotation: &KeyRotation) -> String {
    let file = quote::visible(&rotation.key_file.0);
    let names = match rotation.resealed.join(", ") {
        none if none.is_empty() => none,
        names => format!(" ({names})"),
    };
    let count = rotation.resealed.len();
    let plural = if count == 1 { "" } else { "s" };
    let mut text = format!("new key in {file}; {count} snapshot{plural} sealed anew{names}");
    for left_out in &rotation.left_out {
        let why = quote::visible(left_out.why.as_bytes());
        text.push_str(&format!("\nleft out {}: {why}", left_out.source));
    }
    text
}

fn show(args: &ConfigArgs, console: &mut Console) -> Outcome {
    if args.path {
        let path = places()?.config;
        console.printer.bytes(path.as_os_str().as_bytes())?;
        console.printer.bytes(b"\n")?;
        return Ok(Done::Found);
    }
    let config = connect(console)?.config().map_err(refused)?;
    if args.json {
        for setting in &config.settings {
            console.printer.json(&json!({
                "v": 1, "type": "setting", "key": setting.key, "value": setting.value, "origin": setting.origin,
                "help": setting.help, "file": config.file,
            }))?;
        }
        return Ok(Done::Found);
    }
    console.printer.push(|out| push_text(out, &config))?;
    Ok(Done::Found)
}

fn push_text(out: &mut Vec<u8>, config: &Config) {
    out.extend_from_slice(format!("# {}\n", quote::visible(config.file.as_bytes())).as_bytes());
    let columns = ["key", "value", "from", "what"].map(|title| (title, Align::Left));
    let mut table = Table::new(&columns);
    for setting in &config.settings {
        let cells = [&setting.key, &setting.value, &setting.origin, &setting.help];
        table.row(cells.map(|cell| quote::visible(cell.as_bytes()).into_bytes()).to_vec());
    }
    table.push_to(out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_protocol::answer::{LeftOut, Setting};
    use hearth_protocol::{KeyFileField, V1};

    #[test]
    fn a_rotation_is_told_with_everything_it_left_out() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let key_file = KeyFileField(b"/s/snapshot.key".to_vec());
        let rotation =
            |resealed| KeyRotation { v: V1, key_file: key_file.clone(), resealed, left_out: Vec::new() };
        let text = |resealed: &[&str]| rotated(&rotation(names(resealed)));
        assert_eq!(text(&["a", "b"]), "new key in /s/snapshot.key; 2 snapshots sealed anew (a, b)");
        assert_eq!(text(&["a"]), "new key in /s/snapshot.key; 1 snapshot sealed anew (a)");
        let left_out = vec![LeftOut { source: "b".into(), why: "/x\n: no disk".into() }];
        let partly = rotated(&KeyRotation { left_out, ..rotation(Vec::new()) });
        let expect = "new key in /s/snapshot.key; 0 snapshots sealed anew\nleft out b: $'/x\\n: no disk'";
        assert_eq!(partly, expect);
    }

    #[test]
    fn settings_are_a_table_below_their_file() {
        let setting = Setting {
            key: "files.threads".into(),
            value: "8".into(),
            origin: "default".into(),
            help: "Threads.".into(),
        };
        let mut out = Vec::new();
        push_text(&mut out, &Config { file: "/c/config.toml".into(), settings: vec![setting] });
        let expect = "# /c/config.toml\nkey            value  from     what\nfiles.threads  8      default  Threads.\n";
        assert_eq!(String::from_utf8_lossy(&out), expect);
    }
}
