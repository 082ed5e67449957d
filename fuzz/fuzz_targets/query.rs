//! The query parser: any bytes give a query whose spans lie in the text, or an error that points
//! into the text and can be shown. The same holds for sort keys.
#![no_main]

use hearth_files::query::{Context, Expr, parse, parse_sort};
use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;

fn check_spans(expr: &Expr, length: usize) {
    match expr {
        Expr::And(parts) | Expr::Or(parts) => parts.iter().for_each(|part| check_spans(part, length)),
        Expr::Not(part) => check_spans(part, length),
        Expr::Term(term) => assert!(term.span.start <= term.span.end && term.span.end <= length),
    }
}

fuzz_target!(|text: &[u8]| {
    let someone = |name: &str| (name == "root").then_some(0);
    let context = Context {
        now_ns: 1_700_000_000_000_000_000,
        zone: TimeZone::UTC,
        cwd: Some(b"/srv"),
        home: Some(b"/home/u"),
        user_id: &someone,
        group_id: &someone,
    };
    match parse(text, &context) {
        Ok(query) => check_spans(&query.expr, text.len()),
        Err(error) => {
            assert!(error.position <= text.len());
            let _ = error.render(text);
        }
    }
    if let Ok(text) = std::str::from_utf8(text)
        && let Err(error) = parse_sort(text)
    {
        assert!(error.position <= text.len());
    }
});
