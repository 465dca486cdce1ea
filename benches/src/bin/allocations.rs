//! How many allocations things make. It is a program of its own: to count them takes time, and most
//! where there are most.

use mta_sts_benches::measure::COUNTER;

fn main() -> Result<(), mta_sts_benches::Anything> {
    COUNTER.get_or_init(|| |run| allocation_counter::measure(run).count_total);
    mta_sts_benches::run()
}
