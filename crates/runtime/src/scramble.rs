//! Mixes the bits of a number.

/// Another number with all bits mixed (the finalizer of SplitMix64): of numbers that are close to each other, some that are
/// not.
pub fn scramble(seed: u64) -> u64 {
    let mixed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ mixed >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first three outputs of SplitMix64 seeded with 1234567, as its reference implementation gives them.
    #[test]
    fn it_is_splitmix64() {
        let states =
            (0..3_u64).map(|step| 1_234_567_u64.wrapping_add(step.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        let outputs: Vec<u64> = states.map(scramble).collect();
        assert_eq!(
            outputs,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }
}
