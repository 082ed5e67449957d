//! Examples shown at the end of `--help`. Each line is a command that works as it stands.
//!
//! One text per command, apart from the options they explain: the definitions of the commands refer to
//! them, so that help and manual page show the same. Nothing is filled in at run time.

pub(crate) const HEARTH: &str = "\
Examples:
  hearth report                     every name that holds \"report\"
  hearth '*.rs' --in . --sort size:desc -n 10
                                    the ten largest Rust files below here
  hearth ext:jpg 'size:>5mb' dm:thisweek
                                    big pictures changed this week
  hearth add / --wait               index the root file system
  hearth status                     what is indexed and how fresh it is

Exit code: 0 found or done, 1 nothing found, 2 error.";

pub(crate) const FIND: &str = "\
Examples:
  hearth find main.rs               names that hold \"main.rs\"
  hearth find foo bar               names that hold both words
  hearth find '\"foo bar\"'           names that hold the words with the space between
  hearth find -F 'a (copy)'         literal text, no character is special
  hearth find '*.{jpg,png}' --in ~/Pictures -S '>5mb' --sort size:desc -n 20
  hearth find 'src/**/mod.rs'       a pattern on the path
  hearth find -t dir 'treesize:>1gb' --sort treesize:desc
  hearth find -e log -m today -0 | xargs -0 wc -c
  hearth find TODO --format '{size:h}\\t{modified:iso}\\t{path}'
  hearth find -r '^core\\.[0-9]+$' --count
  hearth find -A h ext:exe --in disk.img
                                    hidden programs on an NTFS disk
  hearth find --deleted '*.docx'    what was deleted from NTFS disks
  hearth find new.txt --wait-fresh 500ms
                                    also what was made a moment ago
  hearth find -- -starts-with-a-dash

Terms: word  *.glob  with/slash  =exact  re:REGEX  !not  a | b  ( )  \"literal\"
  ext: type: kind: size: dm: dc: da: depth: len: owner: group: perm: nlink:
  attr: deleted: in: notin: parent: children: treesize: descendants: empty: dupe: invalid:

Exit code: 0 found, 1 nothing found, 2 error.";

pub(crate) const DU: &str = "\
Examples:
  hearth du ~                       the biggest folders in your home
  hearth du / -d 3 -n 50            three levels deep
  hearth du --allocated --json      bytes on disk, for a script";

pub(crate) const DUPES: &str = "\
Examples:
  hearth dupes --in ~               equal files anywhere in your home
  hearth dupes kind:image --min-size 1mb
  hearth dupes -e iso,zip --json    for a script";

pub(crate) const STATS: &str = "\
Examples:
  hearth stats                      bytes by extension
  hearth stats --by age --in ~/Downloads
  hearth stats --by owner -t file 'size:>100mb'
  hearth stats --by folder --in /var --csv";

pub(crate) const HISTORY: &str = "\
Examples:
  hearth history                    what programs did last
  hearth history src/main.rs        who made, changed or removed this, also if it is gone
  hearth history . -n 100           everything done below here
  hearth history '*.conf' --in /etc
  hearth history ext:db --json | jq -r '.command // empty' | sort | uniq -c

A daemon of root keeps a history if `history.entries` is set (`hearth config`).";
pub(crate) const SINCE: &str = "\
Examples:
  clock=$(hearth find --json -n 1 | jq -r 'select(.type == \"summary\") | .meta[0].clock')
  hearth since \"$clock\"             what changed since then
  hearth since \"$clock\" --in . --json | jq -r 'select(.type == \"change\") | .path'

Exit code: 0 something changed, 1 nothing changed, 2 error, also if it is not known any more.";

pub(crate) const WATCH: &str = "\
Examples:
  hearth watch '*.rs'               Rust files, wherever they are
  hearth watch -t file -S '>1gb'    files that grow beyond a gigabyte
  hearth watch --in ~/Downloads --json | jq -r 'select(.what == \"appeared\") | .path'";

pub(crate) const ADD: &str = "\
Examples:
  hearth add /                      the root file system
  hearth add ~/Documents --name docs
  hearth add /srv --wait            return when everything has been read
  hearth add disk.img               every NTFS volume in the image
  hearth add disk.img#2 --name win  the one in partition 2";

pub(crate) const NTFS: &str = "\
Examples:
  hearth ntfs info /dev/sdb         partitions, volumes, journals
  hearth ntfs record disk.img#2 5   the root folder of the volume in partition 2
  hearth ntfs journal disk.img -n 20
  hearth add disk.img               index it, to search it with `hearth find`";

pub(crate) const NTFS_INFO: &str = "\
Examples:
  hearth ntfs info disk.img
  hearth ntfs info windows          a registered source
  hearth ntfs info mft.zst --json | jq '.volumes[].records_in_use'";

pub(crate) const NTFS_RECORD: &str = "\
Examples:
  hearth ntfs record disk.img 0     $MFT itself
  hearth ntfs record disk.img 41-2  record 41, and whether it still is use 2 of it
  hearth ntfs record disk.img /Users/ada/notes.txt
  hearth ntfs record disk.img '$LogFile' --json";

pub(crate) const NTFS_JOURNAL: &str = "\
Examples:
  hearth ntfs journal disk.img#2 --path /Users
  hearth ntfs journal disk.img --since 1048576 -n 100
  hearth ntfs journal 'UsnJrnl_$J' --json | jq -r 'select(.reasons? | index(\"file-delete\")?) | .name'

Exit code: 0 something happened, 1 nothing did, 2 error.";

pub(crate) const FORGET: &str = "\
Examples:
  hearth forget docs                by name
  hearth forget /srv                by root
  hearth forget --force docs        also while it is in memory";

pub(crate) const LIST: &str = "\
Examples:
  hearth list
  hearth list --json";

pub(crate) const STATUS: &str = "\
Examples:
  hearth status
  hearth status --watch             while sources are being read
  hearth status --json
  hearth status --watch --json | jq 'select(.type == \"daemon\") | .held_bytes'";

pub(crate) const DOCTOR: &str = "\
Examples:
  hearth doctor
  hearth doctor --json | jq -r 'select(.state == \"problem\") | .name'

Exit code: 0 no problem, 1 problems, 2 error.";

pub(crate) const PRELOAD: &str = "\
Examples:
  hearth preload                    every source
  hearth preload docs --pin-minutes 30
                                    and keep it for half an hour";

pub(crate) const PIN: &str = "\
Examples:
  hearth pin docs                   by name
  hearth pin /srv ~/Documents       by root";

pub(crate) const UNPIN: &str = "\
Examples:
  hearth unpin docs
  hearth unpin                      every pin";

pub(crate) const HIBERNATE: &str = "\
Examples:
  hearth hibernate                  all memory that is not pinned
  hearth hibernate docs             one source";

pub(crate) const REFRESH: &str = "\
Examples:
  hearth refresh                    every source, in the background
  hearth refresh docs --wait        one source, until it is done";

pub(crate) const DAEMON: &str = "\
Examples:
  hearth daemon start
  hearth daemon logs -f
  hearth daemon run                 in the foreground, for a service manager";

pub(crate) const RPC: &str = "\
Examples:
  echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}' | hearth rpc";

pub(crate) const CONFIG: &str = "\
Examples:
  hearth config                     every key, its value and where it comes from
  $EDITOR \"$(hearth config --path)\"
  hearth config key rotate          a new key for the snapshots on disk

Every key a.b_c can be set by the environment variable HEARTH_A_B_C.";

pub(crate) const KEY_ROTATE: &str = "\
Examples:
  hearth config key rotate
  hearth config key rotate --json | jq '.left_out'";

pub(crate) const COMPLETIONS: &str = "\
Examples:
  hearth completions bash > ~/.local/share/bash-completion/completions/hearth
  hearth completions zsh > ~/.zfunc/_hearth
  hearth completions fish > ~/.config/fish/completions/hearth.fish";

pub(crate) const MAN: &str = "\
Examples:
  hearth man | man -l -
  hearth man > ~/.local/share/man/man1/hearth.1";
