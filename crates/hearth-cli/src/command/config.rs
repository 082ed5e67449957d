//! `hearth config`: every setting, its value, and where it comes from.
//!
//! The daemon is asked, not the file: shown is what is in force, defaults and environment included.
//! Only the place of the file (`--path`) is told without a daemon.

use crate::args::operate::ConfigArgs;
use crate::console::Console;
use crate::exit::{Done, Outcome};
use crate::reach::{connect, places, refused};
use crate::render::table::{Align, Table};
use crate::text::quote;
use hearth_protocol::answer::Config;
use serde_json::json;
use std::os::unix::ffi::OsStrExt as _;

/// Shows the configuration of the running daemon, or only where its file is.
pub(crate) fn run(args: &ConfigArgs, console: &mut Console) -> Outcome {
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
    use hearth_protocol::answer::Setting;

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
