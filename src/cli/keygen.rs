//! `cairn keygen`: make a log key, for a log that is yet to be made.

use std::path::PathBuf;

use clap::ValueEnum;

use super::{Failure, Output};
use crate::publisher::signer::{FileSigner, KeyKind, Signer, public_key_pem};

const EXAMPLES: &str = "\
Examples:
  cairn keygen --out log.key && cairn serve --data-dir ./new-log --key-file log.key

`cairn serve` makes a key by itself in an empty data folder; keygen is for keys kept elsewhere.
The private key is written to FILE, mode 0600, and never over a file that exists; the public key is
printed.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Where the private key is written (PKCS#8 PEM)
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// Kind of key; v1 clients verify nothing but ECDSA P-256
    #[arg(long, value_enum, default_value = "ecdsa-p256")]
    kind: Kind,

    /// Form of the output
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    EcdsaP256,
    Ed25519,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let kind = match args.kind {
        Kind::EcdsaP256 => KeyKind::EcdsaP256,
        Kind::Ed25519 => KeyKind::Ed25519,
    };
    let (signer, pem) = FileSigner::generate(kind)?;
    pem.write_new(&args.out)?;
    let public_key = public_key_pem(signer.public_key());
    let log_id = hex::encode(tlog::hash::sha256(signer.public_key()));
    match args.output {
        Output::Text => {
            eprintln!("wrote {} (log ID {log_id})", args.out.display());
            print!("{public_key}");
        }
        Output::Json => {
            let file = args.out.display().to_string();
            let json = serde_json::json!({
                "private_key_file": file, "public_key": public_key, "log_id": log_id,
            });
            println!("{json}");
        }
    }
    Ok(())
}
