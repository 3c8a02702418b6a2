//! The calls between the services can work, as the system ships.

use food::system;

#[test]
fn deadlines_nest_and_retries_stay_within_bounds() {
    let system = system();
    assert_eq!(system.check(system.defaults()), []);
}
