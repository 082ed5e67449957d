//! The request envelope and the parameters of `find`, `forget` and `preload`: any line is a request or a typed refusal.
#![no_main]

use hearth_protocol::envelope::Request;
use hearth_protocol::params::{FindParams, ForgetParams, PreloadParams};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    if let Ok(request) = Request::parse(line) {
        let _ = request.params::<FindParams>();
        let _ = request.params::<ForgetParams>().map(|params| params.source_bytes());
        let _ = request.params::<PreloadParams>().map(|params| params.sources_bytes());
    }
});
