//! The wire: messages and services, generated from the files in `proto/proto`.
//!
//! The generated Rust is committed, so that nobody needs a protobuf compiler; a test compares it
//! with what would be generated now, and `make proto` writes it anew. No logic here.
#![forbid(unsafe_code)]

#[allow(missing_docs, clippy::all, clippy::pedantic, unreachable_pub, reason = "generated")]
#[rustfmt::skip]
mod generated {
    pub mod google {
        pub mod api {
            include!("gen/google.api.rs");
        }
    }
    pub mod io {
        pub mod intoto {
            include!("gen/io.intoto.rs");
        }
    }
    pub mod dev {
        pub mod sigstore {
            pub mod common {
                pub mod v1 {
                    include!("gen/dev.sigstore.common.v1.rs");
                }
            }
            pub mod rekor {
                pub mod v1 {
                    include!("gen/dev.sigstore.rekor.v1.rs");
                }
                pub mod v2 {
                    include!("gen/dev.sigstore.rekor.v2.rs");
                }
            }
        }
    }
    pub mod cairn {
        pub mod log {
            pub mod v1 {
                include!("gen/cairn.log.v1.rs");
            }
        }
    }
}

/// The log's own API, `cairn.log.v1`.
pub use generated::cairn::log::v1 as log_v1;
/// What sigstore's messages share, `dev.sigstore.common.v1`.
pub use generated::dev::sigstore::common::v1 as common_v1;
/// Entries with their proofs, `dev.sigstore.rekor.v1`.
pub use generated::dev::sigstore::rekor::v1 as rekor_v1;
/// The Rekor v2 API, `dev.sigstore.rekor.v2`.
pub use generated::dev::sigstore::rekor::v2 as rekor_v2;
/// Bytes with their media type, `google.api`.
pub use generated::google::api as google_api;
/// DSSE envelopes, `io.intoto`.
pub use generated::io::intoto;

/// All of the above as an encoded `google.protobuf.FileDescriptorSet`, for reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("gen/descriptors.bin");
