//! Any bytes are a request of Rekor v2 or not; what is one is JSON, and what follows its first
//! value changes nothing.
#![no_main]

use cairn::admission::RequestV2;
use cairn::frontend::read_request;
use libfuzzer_sys::fuzz_target;
use serde_json::{Deserializer, Value};

fuzz_target!(|body: &[u8]| {
    let Ok(request) = read_request(body) else { return };
    match Deserializer::from_slice(body).into_iter::<Value>().next() {
        None => assert_eq!(request, RequestV2::None),
        Some(value) => {
            assert!(value.expect("it was read").is_object());
            let followed = [body, b" \xff}"].concat();
            assert_eq!(read_request(&followed), Ok(request));
        }
    }
});
