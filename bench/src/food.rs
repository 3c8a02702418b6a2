//! The food-delivery system under load: its program, its customers, its kitchens, and what is read from it meanwhile.

mod basket;
mod customers;
mod flask;
mod kitchens;
mod meter;
mod program;
mod town;
mod trial;

pub use flask::Chain;
pub use town::Town;
pub use trial::Trial;
