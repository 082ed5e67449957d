//! Memory: the budget and what is held of it, and what the machine tells of its own.
//!
//! A signal that this machine does not offer is a note, never a problem: others stand in for it. What is
//! held may pass the budget for a moment; that is a note too.

use super::origin;
use hearth_core::human_bytes;
use hearth_protocol::answer::Check;
use hearth_service::Config;
use hearth_service::api::{Availability, Doctor, Pressure, Status};

pub(super) fn checks(config: &Config, doctor: &Doctor) -> Vec<Check> {
    let mut checks = vec![budget(config, &doctor.status), pressure(config, doctor.status.pressure)];
    checks.extend(doctor.signals.iter().map(signal));
    checks
}

fn budget(config: &Config, status: &Status) -> Check {
    const NAME: &str = "memory budget";
    let chosen = match config.memory.budget {
        Some(_) => format!("as set by {}", origin(config, "memory.budget")),
        None => "chosen for this machine (memory.budget sets another)".to_owned(),
    };
    let [budget, held, most, pinned] =
        [status.budget_bytes, status.held_bytes, status.high_water_bytes, status.pinned_bytes]
            .map(human_bytes);
    let detail = format!("{budget}, {chosen}; {held} held, {most} at most so far, {pinned} pinned");
    if status.held_bytes <= status.budget_bytes {
        return Check::ok(NAME, detail);
    }
    Check::note(NAME, format!("{detail}: more than the budget"))
        .hint("unpin something, or raise memory.budget; queries that still run hold memory too")
}

fn pressure(config: &Config, pressure: Pressure) -> Check {
    const NAME: &str = "memory pressure";
    const HINT: &str =
        "`hearth hibernate` gives up what is not pinned; a smaller memory.budget does so for good";
    match pressure {
        _ if !config.pressure.enabled => {
            Check::note(NAME, format!("not watched, as set by {}", origin(config, "pressure.enabled")))
                .hint("pressure.enabled = true gives memory up before the machine runs out of it")
        }
        Pressure::None => Check::ok(NAME, "none"),
        Pressure::Some => Check::note(NAME, "some: others wait for memory now and then").hint(HINT),
        Pressure::Critical => Check::problem(NAME, "critical: work stands still for memory").hint(HINT),
    }
}

/// What is not there is made up for by what is.
fn signal(signal: &Availability) -> Check {
    if signal.available {
        Check::ok(signal.name, &signal.detail)
    } else {
        Check::note(signal.name, format!("not available: {}", signal.detail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_protocol::answer::State;
    use hearth_service::config::ConfigFile;

    fn config(text: &str) -> Config {
        Config::load(Some(ConfigFile { name: "c.toml", text }), &|_| None).unwrap()
    }

    fn status(budget_bytes: u64, held_bytes: u64) -> Status {
        Status {
            uptime_s: 0,
            queries_total: 0,
            budget_bytes,
            resident_bytes: 0,
            digest_bytes: 0,
            reserved_bytes: 0,
            retained_bytes: 0,
            held_bytes,
            high_water_bytes: held_bytes,
            pinned_bytes: 0,
            pressure: Pressure::None,
            shards: Vec::new(),
        }
    }

    #[test]
    fn a_budget_says_who_chose_it() {
        let chosen = budget(&Config::default(), &status(1 << 30, 1 << 20));
        assert_eq!(
            (chosen.state, chosen.detail.as_str()),
            (
                State::Ok,
                "1.0G, chosen for this machine (memory.budget sets another); 1.0M held, 1.0M at most so far, 0 pinned"
            )
        );
        let set = budget(&config("[memory]\nbudget = \"64mb\"\n"), &status(64 << 20, 65 << 20));
        assert!(set.state == State::Note && set.detail.contains("as set by c.toml:2"), "{set:?}");
    }

    #[test]
    fn pressure_is_as_bad_as_it_is() {
        let check = |level| pressure(&Config::default(), level).state;
        let states = [Pressure::None, Pressure::Some, Pressure::Critical].map(check);
        assert_eq!(states, [State::Ok, State::Note, State::Problem]);
        let off = pressure(&config("[pressure]\nenabled = false\n"), Pressure::None);
        assert!(off.state == State::Note && off.detail.contains("c.toml:2"), "{off:?}");
    }

    #[test]
    fn a_signal_that_is_missing_is_no_problem() {
        let check = |available| signal(&Availability { name: "psi", available, detail: "why".into() });
        assert_eq!(check(true), Check::ok("psi", "why"));
        assert_eq!(check(false), Check::note("psi", "not available: why"));
    }
}
