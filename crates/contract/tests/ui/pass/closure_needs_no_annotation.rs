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

fn neither(n: &mut u32) -> Outcome<u32> {
    Ok(platform(n)?)
}

pub fn place() -> Outcome<u32, DishError> {
    // All kinds of `?` in one closure.
    let sum = write(|x| {
        let a = domain(x)?;
        let b = platform(x)?;
        let c = both(x)?;
        Ok(a + b + c)
    })?;
    // Only the `?` outside says whose faults these are.
    write(|x| {
        let a = domain(x)?;
        platform(x)?;
        Ok(a)
    })?;
    write(|x| Ok(platform(x)?))?;
    // Only the `?` inside says it.
    let inside = write(|x| {
        both(x)?;
        Ok(())
    });
    assert!(inside.is_ok());
    let inside = write(|x| {
        neither(x)?;
        Ok(())
    });
    assert!(inside.is_ok());
    write(move |x| {
        both(x)?;
        Ok(sum)
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
