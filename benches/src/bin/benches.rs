//! What things take. See the library.

fn main() -> Result<(), mta_sts_benches::Anything> {
    mta_sts_benches::run()
}
