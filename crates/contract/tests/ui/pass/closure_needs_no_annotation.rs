//! Guards the conversions of `fault.rs`: with a `From<Fault<X>> for Fault<Y>` the closures below no longer compile.

use partie_contract::{Abort, Fault, FaultKind, Outcome, Platform, Problem};

#[derive(Debug, Problem)]
pub enum DishError {
    #[problem(404, "dish-not-found")]
    NotFound,
}

fn write<T, E>(work: impl Fn(&mut u32) -> Outcome<T, E>) -> Outcome<T, E> {
    work(&mut 0)
}

fn domain(n: &mut u32) -> Result<u32, DishError> {
    if *n == 7 { Err(DishError::NotFound) } else { Ok(*n) }
}

fn platform(n: &mut u32) -> Result<u32, Platform> {
    if *n == 8 { Err(Platform::new(FaultKind::Internal)) } else { Ok(*n) }
}

fn both(n: &mut u32) -> Outcome<u32, DishError> {
    Ok(domain(n)? + platform(n)?)
}

pub fn place() -> Outcome<u32, DishError> {
    let one = write(|x| {
        let a = domain(x)?;
        let b = platform(x)?;
        let c = both(x)?;
        Ok(a + b + c)
    })?;
    write(move |x| {
        both(x)?;
        Ok(one)
    })
}

pub fn handle() -> Result<(), Abort> {
    place()?;
    domain(&mut 1)?;
    platform(&mut 1)?;
    Ok(())
}

fn main() {
    assert!(matches!(place(), Ok(0) | Err(Fault::Domain(DishError::NotFound))));
    handle().unwrap();
}
